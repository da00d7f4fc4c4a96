"""One reviewer in one review: the calibration round and the control items."""

from collections.abc import Mapping
from statistics import fmean
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from services.review.panels.domain.scorecard import Score

AGAIN = ".again"


class NotCalibrated(Exception):
    """The reviewer has to finish the calibration round first."""


class Member(BaseModel):
    """What one reviewer gave beside scores that count: `calibration` by item, `repeats` by the item scored again."""

    model_config = ConfigDict(frozen=True)

    id: str
    review_id: str
    reviewer: str
    calibration: dict[str, Score] = Field(default_factory=dict)
    rounds: int = 0
    calibrated: bool = False
    repeats: dict[str, Score] = Field(default_factory=dict)

    def calibrated_by(self, item_id: str, score: Score, known: Mapping[str, dict[str, int]], tolerance: float) -> Self:
        """With one more score of the calibration round; the last one of a round decides whether it was passed."""
        given = {**self.calibration, item_id: score}
        if set(given) < set(known):
            return self.model_copy(update={"calibration": given})
        passed = distance(given, known) <= tolerance
        # A failed round begins again; the reviewer has seen the right scores by then.
        changed = {"calibration": given if passed else {}, "calibrated": passed, "rounds": self.rounds + 1}
        return self.model_copy(update=changed)

    def repeated(self, item_id: str, score: Score) -> Self:
        """With the second score of a control item; the first repeat counts."""
        return self.model_copy(update={"repeats": {item_id: score, **self.repeats}})


def distance(given: Mapping[str, Score], known: Mapping[str, dict[str, int]]) -> float:
    """The mean distance from the known scores over all items and criteria, in points."""
    return fmean(abs(score.points[name] - known[item][name]) for item, score in given.items() for name in known[item])


def control_due(own_scored: int, own_total: int, repeats_done: int, controls: int) -> bool:
    """Whether it is time to repeat an item: the repeats are spread evenly over the second half."""
    if repeats_done >= controls or own_scored < 2:
        return False
    due = own_total / 2 * (1 + (repeats_done + 1) / (controls + 1))
    return own_scored >= min(due, own_total)
