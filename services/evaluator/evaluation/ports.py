"""What evaluation needs from the outside."""

from typing import Protocol

from services.evaluator.evaluation.domain.training_row import NearestRow
from shared.events import Artifact


class RowSearch(Protocol):
    """Searches training rows, one search at a time."""

    def nearest(self, train: Artifact, text: str, count: int) -> list[NearestRow]:
        """At most `count` rows that are similar to the text, the most similar first; raises `NotExplained`."""
        ...
