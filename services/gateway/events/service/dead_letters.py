"""Events that could not be handled."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from services.gateway.common.domain.errors import BadRequest, Missing
from services.gateway.events.ports import DeadLetter, EventStream
from shared import telemetry

MOST_AT_ONCE = 1000
"""So many dead letters are read in one call; what lies beyond is left for the next."""
_READ = 100
_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class LetterFilter:
    """Which dead letters: those of an event type, of a consumer, or of both; "" is any."""

    event_type: str = ""
    consumer: str = ""

    def matches(self, letter: DeadLetter) -> bool:
        event: Any = letter.event
        found = event.get("type") if isinstance(event, dict) else None
        return (not self.event_type or found == self.event_type) and self.consumer in ("", letter.consumer)


@dataclass(frozen=True)
class DeadLetters:
    """The use cases over dead letters."""

    stream: EventStream

    async def page(self, before: int | None, limit: int) -> list[DeadLetter]:
        """The newest first, below the sequence number `before`."""
        return await self.stream.dead_letters(before, limit)

    async def matching(self, wanted: LetterFilter, before: int | None, limit: int) -> list[DeadLetter]:
        """The newest first, below the sequence number `before`, of this filter."""
        found: list[DeadLetter] = []
        async for letter in self._read(before):
            if wanted.matches(letter):
                found.append(letter)
            if len(found) == limit:
                break
        return found

    async def replay_all(self, wanted: LetterFilter) -> int:
        """Replay the dead letters of a filter, the oldest first; returns how many. What is not an event stays."""
        replayed = 0
        for letter in reversed(await self.matching(wanted, None, MOST_AT_ONCE)):
            try:
                # Another administrator may have replayed it meanwhile.
                replayed += await self.stream.replay(int(letter.id)) is not None
            except BadRequest as error:
                _log.warning("dead letter not replayed", place=letter.id, error=str(error))
        _log.info("dead letters replayed", count=replayed)
        return replayed

    async def _read(self, before: int | None) -> AsyncGenerator[DeadLetter]:
        """Letters below `before`, the newest first, at most `MOST_AT_ONCE`."""
        read = 0
        while read < MOST_AT_ONCE:
            part = await self.stream.dead_letters(before, _READ)
            for letter in part:
                yield letter
            read += len(part)
            if len(part) < _READ:
                return
            before = int(part[-1].id)

    async def replay(self, place: int) -> str:
        """Publish a dead letter again for the consumer that failed; returns the event's type, or raises `Missing`."""
        event_type = await self.stream.replay(place)
        if event_type is None:
            raise Missing(f"There is no dead letter {place}; GET /v1/dead_letters lists them.", param="seq")
        _log.info("dead letter replayed", place=place, event_type=event_type)
        return event_type
