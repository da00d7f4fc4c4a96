"""How far the streams of events were read."""

from typing import NamedTuple, Self

from pydantic import BaseModel

_ALL_READ = 10**18


class StreamPlace(NamedTuple):
    """The sequence numbers of the last fact and the last progress that were read."""

    facts: int = 0
    progress: int = 0

    def __str__(self) -> str:
        return f"{self.facts}-{self.progress}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Two numbers; one alone is that of facts, with all progress read. Raises `ValueError`."""
        numbers = text.split("-")
        if len(numbers) > 2 or not all(number.isdecimal() and len(number) <= 18 for number in numbers):
            raise ValueError(f"{text!r:.64} is not a position in the streams")
        return cls(int(numbers[0]), int(numbers[1]) if len(numbers) == 2 else _ALL_READ)

    def at_most(self, other: Self) -> Self:
        """The earlier place in each stream."""
        return type(self)(min(self.facts, other.facts), min(self.progress, other.progress))

    def beyond(self, other: Self) -> int:
        """How many messages this place is further than `other`."""
        return self.facts - other.facts + self.progress - other.progress


class StreamPosition(BaseModel):
    """How far the streams were read for webhooks."""

    id: str
    place: int = 0
    progress: int = 0

    @property
    def read(self) -> StreamPlace:
        return StreamPlace(self.place, self.progress)
