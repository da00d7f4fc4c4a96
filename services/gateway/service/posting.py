"""Events that callers post, and the dead letters."""

from dataclasses import dataclass

from services.gateway.domain.refusals import Missing
from services.gateway.ports import DeadLetter, EventStream
from shared import telemetry
from shared.cloudevents import Envelope

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class Posting:
    """The use cases over the event stream itself."""

    stream: EventStream

    async def post(self, envelope: Envelope) -> None:
        """Publish; returns when the stream holds the event."""
        await self.stream.publish(envelope)

    async def dead_letters(self, before: int | None, limit: int) -> list[DeadLetter]:
        return await self.stream.dead_letters(before, limit)

    async def replay(self, place: int) -> str:
        """Give a dead letter to its consumers again; the event's type."""
        event_type = await self.stream.replay(place)
        if event_type is None:
            raise Missing(f"There is no dead letter {place}.", param="seq")
        _log.info("dead letter replayed", place=place, event_type=event_type)
        return event_type
