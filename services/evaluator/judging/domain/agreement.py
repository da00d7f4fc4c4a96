"""How far a judge and people agree on the same answers."""

import math
import warnings
from collections.abc import Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from services.evaluator.scoring.domain import intervals
from shared.events import Failure, Interval

MIN_ANSWERS = 3


class Agreement(BaseModel):
    """Agreement over `n` answers that people and the judge rated, each from 0 to 100.

    `spearman` is the rank correlation (Spearman 1904); None if there are fewer than three answers, or if people or the
    judge rated all answers the same. `mean_difference` is the judge's rating minus people's.
    """

    model_config = ConfigDict(frozen=True)

    n: int
    spearman: float | None
    interval: Interval | None
    mean_difference: float
    mean_distance: float


class ReviewRatings(BaseModel):
    """The ratings of one review, its id, by people and by the judge, or why the judge could not rate."""

    model_config = ConfigDict(frozen=True)

    id: str
    judge: str
    job_id: str
    step: int
    owner: str
    people: tuple[float, ...] = ()
    judged: tuple[float, ...] = ()
    error: Failure | None = None

    def rated(self, people: Sequence[float], judge: Sequence[float | None]) -> Self:
        """With both ratings of each answer that the judge rated; the judge's ratings are from 0 to 1."""
        both = [(mine, 100 * other) for mine, other in zip(people, judge, strict=True) if other is not None]
        people, judged = tuple(mine for mine, _ in both), tuple(other for _, other in both)
        return self.model_copy(update={"people": people, "judged": judged})


def agreement(people: Sequence[float], judged: Sequence[float]) -> Agreement | None:
    """None if there are no answers that both rated."""
    if not people:
        return None
    differences = [judge - person for judge, person in zip(judged, people, strict=True)]
    correlation = _spearman(people, judged)
    interval = None
    if correlation is not None:
        interval = intervals.statistic_interval(
            lambda drawn: _spearman([people[at] for at in drawn], [judged[at] for at in drawn]), len(people)
        )
    return Agreement(
        n=len(people),
        spearman=correlation,
        interval=interval,
        mean_difference=sum(differences) / len(differences),
        mean_distance=sum(map(abs, differences)) / len(differences),
    )


def _spearman(one: Sequence[float], other: Sequence[float]) -> float | None:
    if len(one) < MIN_ANSWERS:
        return None
    # Importing scipy.stats takes two seconds: the service starts without it.
    from scipy.stats import ConstantInputWarning, spearmanr

    with warnings.catch_warnings():
        # The correlation of constant ratings is undefined: NaN.
        warnings.simplefilter("ignore", ConstantInputWarning)
        found: Any = spearmanr(one, other)
        correlation = float(found.statistic)
    return None if math.isnan(correlation) else correlation
