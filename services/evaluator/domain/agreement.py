"""How far a judge and people agree over the same answers."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from services.evaluator.domain import statistics
from shared.events import Failure, Interval

FEWEST = 3


class Agreement(BaseModel):
    """Over `n` answers, each rated from 0 to 100 by people and by the judge.

    `spearman` is the correlation of their ranks (Spearman 1904), None where either gave all answers the same or there
    are too few; `mean_difference` is the judge's rating less people's.
    """

    model_config = ConfigDict(frozen=True)

    n: int
    spearman: float | None
    interval: Interval | None
    mean_difference: float
    mean_distance: float


class Judged(BaseModel):
    """The answers of one review as people and the judge rated them; or why the judge could not."""

    model_config = ConfigDict(frozen=True)

    judge: str
    job_id: str
    step: int
    owner: str
    people: tuple[float, ...] = ()
    judged: tuple[float, ...] = ()
    error: Failure | None = None

    def rated(self, people: Sequence[float], judge: Sequence[float | None]) -> Self:
        """With both ratings of each answer that the judge, from 0 to 1, could judge."""
        both = [(mine, 100 * other) for mine, other in zip(people, judge, strict=True) if other is not None]
        people, judged = tuple(mine for mine, _ in both), tuple(other for _, other in both)
        return self.model_copy(update={"people": people, "judged": judged})


def agreement(people: Sequence[float], judged: Sequence[float]) -> Agreement | None:
    """None where nothing was rated by both."""
    if not people:
        return None
    apart = [mine - other for mine, other in zip(judged, people, strict=True)]
    ranks = _spearman(people, judged)
    interval = None
    if ranks is not None:
        interval = statistics.statistic_interval(
            lambda drawn: _spearman([people[at] for at in drawn], [judged[at] for at in drawn]) or 0.0, len(people)
        )
    return Agreement(
        n=len(people),
        spearman=ranks,
        interval=interval,
        mean_difference=sum(apart) / len(apart),
        mean_distance=sum(map(abs, apart)) / len(apart),
    )


def _spearman(one: Sequence[float], other: Sequence[float]) -> float | None:
    if len(one) < FEWEST or len(set(one)) < 2 or len(set(other)) < 2:
        return None
    return float(np.corrcoef(_ranks(one), _ranks(other))[0, 1])


def _ranks(values: Sequence[float]) -> list[float]:
    """Each value's place, from 1; equals share the mean of theirs."""
    _, place, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place].tolist()
