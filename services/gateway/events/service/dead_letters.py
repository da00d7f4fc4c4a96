"""Events that could not be handled."""

from dataclasses import dataclass

from services.gateway.common.domain.errors import Missing
from services.gateway.events.ports import DeadLetter, EventStream
from shared import telemetry

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class DeadLetters:
    """The use cases over dead letters."""

    stream: EventStream

    async def page(self, before: int | None, limit: int) -> list[DeadLetter]:
        """The newest first, below the sequence number `before`."""
        return await self.stream.dead_letters(before, limit)

    async def replay(self, place: int) -> str:
        """Publish a dead letter again for the consumer that failed; returns the event's type, or raises `Missing`."""
        event_type = await self.stream.replay(place)
        if event_type is None:
            raise Missing(f"There is no dead letter {place}.", param="seq")
        _log.info("dead letter replayed", place=place, event_type=event_type)
        return event_type
