"""How far one reviewer's scores follow those of the others, over all criteria."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from services.review.panels.domain.scored import LEAST_ITEMS, Scored

Table = npt.NDArray[np.float64]
HIGHEST = 0.999


@dataclass(frozen=True)
class Correlation:
    """A correlation with the standard error of its Fisher z."""

    value: float
    error: float
    items: int

    def clearly_below(self, expected: float, significance: float) -> bool:
        """Whether a reviewer with the expected correlation would hardly have one as low as this."""
        z = (_fisher(self.value) - _fisher(expected)) / self.error
        return NormalDist().cdf(z) < significance


def correlation_with_others(panel: Mapping[str, Sequence[Scored]], reviewer: str) -> Correlation | None:
    """The correlation of a reviewer's points with the median of the others', pooled over criteria.

    Each criterion is centred by itself, so that levels do not count. The criteria of one item are not independent: the
    standard error is a jackknife over items. None for few items, or where one side is constant.
    """
    mine, theirs = _tables(panel, reviewer)
    if len(mine) < LEAST_ITEMS:
        return None
    mine, theirs = mine - mine.mean(axis=0), theirs - theirs.mean(axis=0)
    sums = np.stack([(mine * theirs).sum(axis=1), (mine**2).sum(axis=1), (theirs**2).sum(axis=1)])
    whole = sums.sum(axis=1)
    if whole[1] == 0 or whole[2] == 0:
        return None
    without = whole[:, None] - sums
    # Without one item a side may be constant; then that item says nothing about the spread.
    usable = (without[1] > 0) & (without[2] > 0)
    each = _fishers(without[:, usable])
    n = len(each)
    error = math.sqrt((n - 1) / n * float(((each - each.mean()) ** 2).sum()))
    return Correlation(float(whole[0] / math.sqrt(whole[1] * whole[2])), max(error, 1 / len(mine)), len(mine))


def _tables(panel: Mapping[str, Sequence[Scored]], reviewer: str) -> tuple[Table, Table]:
    """One row an item, one column a criterion: the reviewer's points, and the median of the others'."""
    others: dict[str, list[tuple[float, ...]]] = {}
    for name, rows in panel.items():
        if name != reviewer:
            for row in rows:
                others.setdefault(row.item_id, []).append(_points(row))
    shared = [row for row in panel[reviewer] if row.item_id in others]
    mine = np.array([_points(row) for row in shared], dtype=np.float64)
    theirs = np.array([np.median(others[row.item_id], axis=0) for row in shared], dtype=np.float64)
    return mine, theirs


def _points(row: Scored) -> tuple[float, ...]:
    return row.points or (row.percent,)


def _fisher(value: float) -> float:
    return math.atanh(max(-HIGHEST, min(value, HIGHEST)))


def _fishers(sums: Table) -> Table:
    values = sums[0] / np.sqrt(sums[1] * sums[2])
    return np.arctanh(np.clip(values, -HIGHEST, HIGHEST))
