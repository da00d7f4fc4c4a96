"""Krippendorff's alpha: how far reviewers agree beyond chance, with missing scores.

Klaus Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011). Items are units, reviewers are observers.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from services.review.policies.domain.evidence import Agreement
from shared.events import Interval

Level = Literal["nominal", "ordinal", "interval"]
Matrix = npt.NDArray[np.float64]
DRAWS = 1000
CONFIDENCE = 0.95


def alpha(scores: Sequence[Sequence[float | None]], level: Level) -> float | None:
    """Alpha of a table with one row an item and one column a reviewer, None where a score is missing.

    None when it is undefined: no item has two scores, or all paired scores are equal.
    """
    values, contributions = _coincidences(scores)
    return _alpha(contributions.sum(axis=0), values, level) if len(values) else None


def agreement(scores: Sequence[Sequence[float | None]], level: Level, seed: int = 0) -> Agreement:
    """Alpha with a bootstrap interval over items, and the share of equal pairs."""
    values, contributions = _coincidences(scores)
    if not len(values):
        return Agreement(alpha=None, n=0)
    whole = contributions.sum(axis=0)
    raw = float(np.trace(whole) / whole.sum())
    found = _alpha(whole, values, level)
    interval = None if found is None else _interval(contributions, values, level, seed)
    return Agreement(alpha=found, interval=interval, raw=raw, n=len(contributions))


def _coincidences(scores: Sequence[Sequence[float | None]]) -> tuple[Matrix, Matrix]:
    """The values that occur in pairs, and each item's matrix of value pairs, weighted by 1 / (scores - 1)."""
    rows = [[score for score in row if score is not None] for row in scores]
    paired = [row for row in rows if len(row) > 1]
    values = np.unique(np.array([score for row in paired for score in row], dtype=np.float64))
    contributions = np.zeros((len(paired), len(values), len(values)))
    for place, row in enumerate(paired):
        counts = (np.array(row)[:, None] == values).sum(axis=0).astype(np.float64)
        contributions[place] = (np.outer(counts, counts) - np.diag(counts)) / (len(row) - 1)
    return values, contributions


def _alpha(coincidences: Matrix, values: Matrix, level: Level) -> float | None:
    """1 - observed disagreement / expected disagreement."""
    totals = coincidences.sum(axis=1)
    n = totals.sum()
    distances = _DISTANCES[level](values, totals)
    expected = float((np.outer(totals, totals) * distances).sum())
    if n <= 1 or expected == 0:
        return None
    return 1 - float((n - 1) * (coincidences * distances).sum() / expected)


def _nominal(values: Matrix, _totals: Matrix) -> Matrix:
    return 1 - np.eye(len(values))


def _ordinal(_values: Matrix, totals: Matrix) -> Matrix:
    """The squared number of scores between two levels, half of those at the ends."""
    ranks = np.cumsum(totals) - totals / 2
    return (ranks[:, None] - ranks) ** 2


def _squared(values: Matrix, _totals: Matrix) -> Matrix:
    return (values[:, None] - values) ** 2


_DISTANCES: dict[Level, Callable[[Matrix, Matrix], Matrix]] = {
    "nominal": _nominal,
    "ordinal": _ordinal,
    "interval": _squared,
}


def _interval(contributions: Matrix, values: Matrix, level: Level, seed: int) -> Interval | None:
    """Percentiles of alpha over samples of the items, drawn with replacement; None for fewer than two items."""
    items = len(contributions)
    if items < 2:
        return None
    drawn = np.random.default_rng(seed).multinomial(items, np.full(items, 1 / items), size=DRAWS)
    tables = np.tensordot(drawn.astype(np.float64), contributions, axes=1)
    # A draw in which all scores are equal has no alpha, so it says nothing about the interval.
    found = [each for table in tables if (each := _alpha(table, values, level)) is not None]
    if not found:
        return None
    low, high = np.quantile(found, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(low=float(low), high=float(high), level=CONFIDENCE, method="bootstrap over items", seed=seed)
