"""Publishes events that callers post."""

from dataclasses import dataclass

from services.gateway.common.domain.errors import Missing
from services.gateway.events.domain import posted_event
from services.gateway.events.ports import EventStream
from services.gateway.fine_tuning.domain.job import Job
from services.gateway.fine_tuning.domain.uploaded_file import UploadedFile
from services.gateway.fine_tuning.service.alias_ownership import AliasOwnership
from shared.cloudevents import Envelope
from shared.security import Key
from shared.store import Collection


@dataclass(frozen=True)
class EventPublisher:
    """The use case of `POST /v1/events`."""

    stream: EventStream
    files: Collection[UploadedFile]
    jobs: Collection[Job]
    aliases: AliasOwnership

    async def post(self, envelope: Envelope, key: Key) -> None:
        """Publish; returns when the stream holds the event. Raises `Missing` for resources of other keys."""
        if not key.allows("admin"):
            await self._check_ownership(envelope, key)
        for param, suffix in posted_event.suffixes(envelope):
            await self.aliases.claim(suffix, key, param)
        await self.stream.publish(posted_event.stated_by(envelope, key))

    async def _check_ownership(self, envelope: Envelope, key: Key) -> None:
        if envelope.type.startswith("training."):
            job = await self.jobs.get(envelope.subject)
            if job is None and envelope.type not in posted_event.OWNED:
                raise _missing(envelope.subject, "subject")
            _check(job, key, "subject")
        for param, file_id in posted_event.files(envelope).items():
            _check(await self.files.get(file_id), key, param)


def _check(found: UploadedFile | Job | None, key: Key, param: str) -> None:
    if found is not None and not key.owns(found.owner):
        raise _missing(found.id, param)


def _missing(entity_id: str, param: str) -> Missing:
    return Missing(f"No such file or job: {entity_id}", param=param)
