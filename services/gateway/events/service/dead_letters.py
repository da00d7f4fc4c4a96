"""Events that could not be handled."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field
from itertools import islice

from services.gateway.common.domain.errors import BadRequest, Missing
from services.gateway.events.domain.letter_filter import LetterFilter
from services.gateway.events.ports import DeadLetter, DeadLetterQueue
from shared import telemetry

MOST_READ = 10_000
"""A page reads at most so many letters in search of those of its filter; the next page goes on below them."""
MOST_REPLAYED = 1000
_AT_ONCE = 100
_log = telemetry.logger(__name__)


@dataclass
class LetterPage:
    """Letters, the newest first; the next page is below the place `next_before`, and there is none after None."""

    letters: list[DeadLetter] = field(default_factory=list[DeadLetter])
    next_before: int | None = None


@dataclass
class Replayed:
    """How many letters were published again, how many stay because they are not events, and whether more are left."""

    replayed: int = 0
    kept: int = 0
    more: bool = False


@dataclass(frozen=True)
class DeadLetters:
    """The use cases over dead letters."""

    letters: DeadLetterQueue

    async def page(self, wanted: LetterFilter, before: int | None, limit: int) -> LetterPage:
        """The newest letters of a filter, below the place `before`."""
        places = [place for place in await self.letters.places() if before is None or place < before]
        page, read = LetterPage(), 0
        async for place, letter in self._read(reversed(places)):
            if len(page.letters) == limit or read == MOST_READ:
                page.next_before = place + 1
                break
            read += 1
            if letter is not None and wanted.matches(letter.consumer, letter.event):
                page.letters.append(letter)
        return page

    async def replay_all(self, wanted: LetterFilter) -> Replayed:
        """Replay the letters of a filter, the oldest first, at most `MOST_REPLAYED` of them."""
        done = Replayed()
        async for place, letter in self._read(await self.letters.places()):
            if letter is None or not wanted.matches(letter.consumer, letter.event):
                continue
            if done.replayed == MOST_REPLAYED:
                done.more = True
                break
            try:
                # Another administrator may have replayed it meanwhile.
                done.replayed += await self.letters.replay(place) is not None
            except BadRequest as error:
                done.kept += 1
                _log.warning("dead letter not replayed", place=place, error=str(error))
        _log.info("dead letters replayed", count=done.replayed, kept=done.kept)
        return done

    async def replay(self, place: int) -> str:
        """Publish a dead letter again for the consumer that failed; returns the event's type, or raises `Missing`."""
        event_type = await self.letters.replay(place)
        if event_type is None:
            raise Missing(f"There is no dead letter {place}; GET /v1/dead_letters lists them.", param="seq")
        _log.info("dead letter replayed", place=place, event_type=event_type)
        return event_type

    async def _read(self, places: Iterable[int]) -> AsyncGenerator[tuple[int, DeadLetter | None]]:
        """The letters at these places, in their order, as many at once as there may be on a page."""
        left = iter(places)
        while part := list(islice(left, _AT_ONCE)):
            letters = await asyncio.gather(*map(self.letters.get, part))
            for found in zip(part, letters, strict=True):
                yield found
