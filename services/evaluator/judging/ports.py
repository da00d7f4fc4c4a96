"""What judging needs from the outside."""

from collections.abc import Sequence
from typing import Protocol

from services.evaluator.judging.domain.rubric import Rubric
from services.evaluator.scoring.domain.answer import Answer
from services.evaluator.scoring.domain.item import Item


class Rater(Protocol):
    """A judge."""

    async def rate(self, items: Sequence[Item], answers: Sequence[Answer], rubric: Rubric) -> Sequence[float | None]:
        """By the rubric, each answer's rating, from 0 to 1; None without a valid reply. Raises `CannotBeScored`."""
        ...
