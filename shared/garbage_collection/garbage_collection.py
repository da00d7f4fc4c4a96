"""Marks what databases, streams and artifacts name, and removes the other artifacts and cache entries."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager

from nats.js import JetStreamContext

from shared.archive.segments import Archive, archive_url
from shared.consumers import CONSUMERS
from shared.events import DatasetReady, DatasetRejected, DatasetUploaded, FileDeleted
from shared.garbage_collection.cached_files import CachedFiles
from shared.garbage_collection.databases import Databases
from shared.garbage_collection.marks import Marks
from shared.garbage_collection.messages import ConsumerProgress, Messages, StoredMessage, archived
from shared.garbage_collection.progress_lines import Say
from shared.garbage_collection.report import Report
from shared.garbage_collection.stored_files import StoredFiles
from shared.garbage_collection.sweep import Sweep, spread
from shared.garbage_collection.trust import Evidence
from shared.jetstream_readiness import when_ready
from shared.nats_users import OPERATOR
from shared.operator_commands import connected
from shared.retention import DAY_S
from shared.settings import CommonSettings

SERVICES = sorted({consumer.service for consumer in CONSUMERS})
GRACE_DAYS = 7.0
LEAST_GRACE_DAYS = 2.0
"""An object store makes a file that is put again new only once a day."""
_ABOUT_FILES = {event.type for event in (DatasetUploaded, DatasetReady, DatasetRejected)}
# An inbox is swept every hour.
_MARGIN_S = 2 * 3600.0


async def collect(settings: CommonSettings, grace_days: float, say: Say, *, remove: bool, archive: str = "") -> Report:
    """Count the garbage, and remove it if asked to. The services may run.

    `archive` is where archived facts are, if not beside the artifacts.

    Raises `CollectionRefused` if it cannot be known what is named, and `ArtifactStoreAway`.
    """
    files, marks, before = StoredFiles(settings.artifacts), Marks(), time.time() - grace_days * DAY_S
    async with _servers(settings) as (databases, js):
        facts = Archive(archive or archive_url(settings))
        await _mark(marks, databases, js, facts, settings.inbox_days, before, say)
    sweep = Sweep(marks, files, CachedFiles(settings.cache_dir), before, say)
    report = Report(grace_days)
    await asyncio.to_thread(spread, marks, files, say)
    await asyncio.to_thread(sweep.count, report)
    if remove and report.garbage.files:
        await asyncio.to_thread(sweep.remove, report)
    return report


async def _mark(
    marks: Marks,
    databases: Databases,
    js: JetStreamContext,
    archive: Archive,
    inbox_days: float,
    before: float,
    say: Say,
) -> None:
    progress, messages = await when_ready(lambda: ConsumerProgress.read(js)), Messages(js)
    evidence = Evidence(progress, time.time() - inbox_days * DAY_S + _MARGIN_S, before)
    deleted = await asyncio.to_thread(databases.deleted_files)
    # What a deleted file names stays for one grace period: a job may be about to begin with it.
    deleted -= {_file_id(message) async for message in messages.of(FileDeleted.type) if message.at >= before}

    def mark(message: StoredMessage) -> None:
        evidence.add(message)
        if not _is_past(message, deleted, progress, before):
            marks.add_named_in(message.data)
        say(f"{message.stream}: message {message.sequence:,} read")

    async def mark_new_messages() -> None:
        async for message in messages.all_new():
            mark(message)

    def mark_archived() -> None:
        for message in archived(archive):
            mark(message)

    # Messages first: what is archived or handled meanwhile is in the archive and in the documents then.
    await mark_new_messages()
    await asyncio.to_thread(mark_archived)
    documents = await asyncio.to_thread(databases.mark, marks, deleted, say)
    await mark_new_messages()
    await asyncio.to_thread(evidence.check, databases, documents)


def _is_past(message: StoredMessage, deleted: Collection[str], progress: ConsumerProgress, before: float) -> bool:
    """Whether a message is only about a file that was deleted, and has been handled.

    All other facts name what they named for ever, because a replay reads some of it again.
    """
    if message.subject not in _ABOUT_FILES or message.at >= before:
        return False
    return _file_id(message) in deleted and progress.all_have_handled(message)


def _file_id(message: StoredMessage) -> str:
    try:
        return str(json.loads(message.data)["data"]["file_id"])
    except (ValueError, KeyError, TypeError):
        return ""


@asynccontextmanager
async def _servers(settings: CommonSettings) -> AsyncGenerator[tuple[Databases, JetStreamContext]]:
    databases = Databases(settings.mongo_url, {name: f"{settings.database_prefix}{name}" for name in SERVICES})
    try:
        async with connected(settings, OPERATOR) as client:
            yield databases, client.jetstream(timeout=30)
    finally:
        databases.close()
