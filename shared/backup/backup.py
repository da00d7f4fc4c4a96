"""Saving everything that the services keep, and restoring it into empty servers. The services must be stopped."""

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from shared.archive.segments import Archive, archive_url
from shared.artifacts import Artifacts
from shared.backup.artifact_files import restore_artifacts, save_artifacts
from shared.backup.contents import BackupError, Contents
from shared.backup.databases import Databases
from shared.backup.streams import Streams
from shared.consumers import CONSUMERS
from shared.nats_users import OPERATOR
from shared.operator_commands import connected
from shared.settings import CommonSettings

SERVICES = sorted({consumer.service for consumer in CONSUMERS})
_KEYS = "keys.json"
_ARCHIVE = "archive"


async def save(settings: CommonSettings, folder: Path, *, artifacts: bool = True) -> Contents:
    """Write a backup to a new folder, which only its owner can read."""
    if folder.exists() and any(folder.iterdir()):
        raise BackupError(f"{folder} is not empty: name a new folder for each backup")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    archive = Archive(archive_url(settings))
    if archive.rebuilding() is not None:
        raise BackupError("a restore of archived events was interrupted: run `python -m shared.archive restore` first")
    async with _servers(settings) as (databases, streams):
        await streams.check_stopped()
        contents = Contents(
            made_at=datetime.now(UTC),
            documents=databases.save(folder / "databases"),
            messages=await streams.save(folder / "streams"),
            artifacts=save_artifacts(settings.artifacts, folder / "artifacts") if artifacts else None,
        )
    if artifacts:
        _copy(archive, Archive(str(folder / _ARCHIVE)))
    if settings.keys_file.exists():
        shutil.copy2(settings.keys_file, folder / _KEYS)
    contents.write(folder)
    return contents


async def restore(settings: CommonSettings, folder: Path) -> Contents:
    """Restore a backup. Nothing is changed unless the servers are empty."""
    contents = Contents.read(folder)
    store = Artifacts(settings.artifacts, create=False)
    async with _servers(settings) as (databases, streams):
        databases.check_empty()
        await streams.check_missing()
        _restore_keys(folder / _KEYS, settings.keys_file)
        if contents.artifacts is not None:
            restore_artifacts(folder / "artifacts", store, contents.artifacts)
            _copy(Archive(str(folder / _ARCHIVE)), Archive(archive_url(settings)))
        databases.restore(folder / "databases", contents.documents)
        await streams.restore(folder / "streams", settings.event_replicas)
    return contents


@asynccontextmanager
async def _servers(settings: CommonSettings) -> AsyncGenerator[tuple[Databases, Streams]]:
    databases = Databases(settings.mongo_url, [f"{settings.database_prefix}{name}" for name in SERVICES])
    try:
        async with connected(settings, OPERATOR) as client:
            yield databases, Streams(client)
    finally:
        databases.close()


def _copy(source: Archive, target: Archive) -> None:
    for segment in source.segments():
        target.write(list(source.read(segment)))


def _restore_keys(saved: Path, keys_file: Path) -> None:
    if not saved.exists():
        return
    if keys_file.exists() and keys_file.read_bytes() != saved.read_bytes():
        raise BackupError(f"{keys_file} holds other keys than {saved}: move it away")
    keys_file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(saved, keys_file)
