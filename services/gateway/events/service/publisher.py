"""Publishes events that callers post."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from services.gateway.common.domain.errors import BadRequest, Conflict, Missing
from services.gateway.events.domain import posted_event
from services.gateway.events.domain.posted_event import PostedEvent
from services.gateway.events.ports import EventStream
from services.gateway.fine_tuning.domain.job import Job
from services.gateway.fine_tuning.domain.uploaded_file import UploadedFile
from services.gateway.fine_tuning.service.alias_ownership import AliasOwnership
from services.gateway.fine_tuning.service.artifact_references import ArtifactReferences
from services.gateway.fine_tuning.service.holdings import Holdings
from shared import tracing
from shared.cloudevents import Envelope
from shared.security import Key
from shared.store import Collection

MayCall = Callable[[str, Key], Awaitable[object]]
"""Raises an `ApiError` unless the key may call the model of that name."""

Admit = Callable[[Key], Awaitable[None]]
"""Counts one event; raises `RateLimited`."""


@dataclass(frozen=True)
class EventPublisher:
    """The use case of `POST /v1/events`."""

    stream: EventStream
    files: Collection[UploadedFile]
    jobs: Collection[Job]
    aliases: AliasOwnership
    artifacts: ArtifactReferences
    posted: Collection[PostedEvent]
    may_call: MayCall
    admit: Admit
    holdings: Holdings

    async def post(self, envelope: Envelope, key: Key) -> Envelope:
        """Publish; returns the event once the stream holds it.

        Raises `Missing` for resources of other keys, `BadRequest` for an artifact that does not exist, `Conflict`
        for an id that was used with other content, and `RateLimited` or `NotPermitted` for more than the key allows.
        """
        await self.admit(key)
        is_fact = posted_event.scope_of(envelope.type) == "publish"
        if envelope.type == "feedback.recorded":
            await self.may_call(envelope.data["model"], key)
        elif not is_fact and not key.allows("admin"):
            await self._check_ownership(envelope, key)
        await self._check_artifacts(envelope, key, any_owner=is_fact)
        await self._check_holdings(envelope, key)
        envelope = posted_event.with_owner(envelope, key)
        record = posted_event.record(envelope, time.time())
        if not await self.posted.create(record):
            record = await self._same(record)
        if not is_fact:
            for param, suffix in posted_event.suffixes(envelope):
                await self.aliases.claim(suffix, key, param)
        traceparent = tracing.belonging_to(await self._traceparent(envelope))
        envelope = envelope.model_copy(
            update={"time": datetime.fromtimestamp(record.at, UTC), "traceparent": traceparent}
        )
        await self.stream.publish(envelope)
        return envelope

    async def _traceparent(self, envelope: Envelope) -> str | None:
        """The trace of the job that the event is about, or of the file that a new job trains on."""
        if not envelope.type.startswith("training."):
            return None
        about = await self.jobs.get(envelope.subject) or await self.files.get(envelope.data.get("training_file", ""))
        return about.traceparent if about else None

    async def _same(self, record: PostedEvent) -> PostedEvent:
        known = await self.posted.get(record.id) or record
        if known.digest != record.digest:
            raise Conflict("This 'id' was used for another event; send a new one.", param="id", code="id_reused")
        return known

    async def _check_ownership(self, envelope: Envelope, key: Key) -> None:
        if envelope.type.startswith("training."):
            job = await self.jobs.get(envelope.subject)
            if job is None and envelope.type not in posted_event.CREATING:
                raise _missing(envelope.subject, "subject")
            _check(job, key, "subject")
        for param, file_id in posted_event.files(envelope).items():
            _check(await self.files.get(file_id), key, param)

    async def _check_holdings(self, envelope: Envelope, key: Key) -> None:
        if envelope.type == "training.requested" and await self.jobs.get(envelope.subject) is None:
            await self.holdings.check_job(key)
        if envelope.type == "dataset.uploaded" and await self.files.get(envelope.subject) is None:
            for _, artifact in posted_event.artifacts(envelope):
                await self.holdings.check_file(key, artifact.bytes)

    async def _check_artifacts(self, envelope: Envelope, key: Key, *, any_owner: bool) -> None:
        for place, artifact in posted_event.artifacts(envelope):
            exists = await asyncio.to_thread(self.artifacts.store.keep, artifact)
            if not exists or not (any_owner or await self.artifacts.may_name(artifact, key)):
                message = f"There is no artifact {artifact.sha256} of {artifact.bytes} bytes; upload it to /v1/files."
                raise BadRequest(message, param=place, code="artifact_not_found")


def _check(found: UploadedFile | Job | None, key: Key, param: str) -> None:
    if found is not None and not key.owns(found.owner):
        raise _missing(found.id, param)


def _missing(entity_id: str, param: str) -> Missing:
    return Missing(f"No such file or job: {entity_id}", param=param)
