"""What judging needs from the outside."""

from collections.abc import Sequence
from typing import Protocol

from services.evaluator.judging.domain.agreement import ReviewRatings
from services.evaluator.scoring.domain.answer import Answer
from services.evaluator.scoring.domain.item import Item
from shared.store import Entity


class AgreementRecord(Entity):
    """A review as people and a judge rated it; `id` is the review's."""

    judged: ReviewRatings


class Rater(Protocol):
    """A judge."""

    async def rate(self, items: Sequence[Item], answers: Sequence[Answer]) -> Sequence[float | None]:
        """Each answer's rating, from 0 to 1; None without a valid reply. Raises `CannotBeScored`."""
        ...


class AgreementStore(Protocol):
    """Stores the ratings of people and a judge by review."""

    async def get(self, entity_id: str) -> ReviewRatings | None: ...

    async def create(self, entity_id: str, judged: ReviewRatings) -> bool: ...

    async def all(self, judge: str) -> dict[str, ReviewRatings]: ...
