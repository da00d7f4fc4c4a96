"""Events that callers post, and the dead letters."""

from dataclasses import dataclass

from services.gateway.domain import posting
from services.gateway.domain.refusals import Missing
from services.gateway.ports import DeadLetter, EventStream, FileView, JobView, Views
from services.gateway.service.claims import Claims
from shared import telemetry
from shared.cloudevents import Envelope
from shared.security import Key

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class Posting:
    """The use cases over the event stream itself."""

    stream: EventStream
    files: Views[FileView]
    jobs: Views[JobView]
    claims: Claims

    async def post(self, envelope: Envelope, key: Key) -> None:
        """Publish; returns when the stream holds the event. Raises `Missing` for what is another key's."""
        if not key.allows("admin"):
            await self._refuse_anothers(envelope, key)
        for param, suffix in posting.suffixes(envelope):
            await self.claims.take(suffix, key, param)
        await self.stream.publish(posting.stated_by(envelope, key))

    async def dead_letters(self, before: int | None, limit: int) -> list[DeadLetter]:
        return await self.stream.dead_letters(before, limit)

    async def replay(self, place: int) -> str:
        """Give a dead letter to its consumers again; the event's type."""
        event_type = await self.stream.replay(place)
        if event_type is None:
            raise Missing(f"There is no dead letter {place}.", param="seq")
        _log.info("dead letter replayed", place=place, event_type=event_type)
        return event_type

    async def _refuse_anothers(self, envelope: Envelope, key: Key) -> None:
        if envelope.type.startswith("training."):
            job = await self.jobs.get(envelope.subject)
            if job is None and envelope.type not in posting.OWNED:
                raise _missing(envelope.subject, "subject")
            _check(job, key, "subject")
        for param, file_id in posting.files(envelope).items():
            _check(await self.files.get(file_id), key, param)


def _check(found: FileView | JobView | None, key: Key, param: str) -> None:
    if found is not None and not key.owns(found.owner):
        raise _missing(found.id, param)


def _missing(entity_id: str, param: str) -> Missing:
    return Missing(f"No such file or job: {entity_id}", param=param)
