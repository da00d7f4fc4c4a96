"""Confidence intervals of scores. Every random draw has a seed."""

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np

from shared.events import Interval

LEVEL = 0.95
DRAWS = 2000
STATISTIC_DRAWS = 500
"""Fewer than for means, because each one computes the figure anew."""
SEED = 0
_CELLS_PER_BATCH = 2_000_000


def wilson(successes: int, n: int, level: float = LEVEL) -> Interval:
    """The interval of a proportion (Wilson 1927); unlike p ± z·√(p(1-p)/n) it is right at 0 and 1 and for small n."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, spread = successes / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    low, high = max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))
    return Interval(low=low, high=high, level=level, method="wilson", seed=None)


def mean_interval(values: Sequence[float], level: float = LEVEL, seed: int = SEED) -> Interval:
    """The interval of a mean: Wilson's if every value is 0 or 1, else the percentile bootstrap (Efron 1979)."""
    if all(value in (0.0, 1.0) for value in values):
        return wilson(round(sum(values)), len(values), level)
    return percentiles(bootstrap_means(values, seed), level, seed)


def statistic_interval(
    statistic: Callable[[Sequence[int]], float | None], n: int, level: float = LEVEL, seed: int = SEED
) -> Interval | None:
    """The percentile bootstrap of a figure that is not a mean.

    `statistic` gets the positions of the drawn items. A draw for which it is undefined, None, does not count; if all
    are undefined, so is the interval.
    """
    drawn = np.random.default_rng(seed).integers(0, n, size=(STATISTIC_DRAWS, n))
    figures = [figure for row in drawn if (figure := statistic(row.tolist())) is not None]
    return percentiles(figures, level, seed) if figures else None


def bootstrap_means(values: Sequence[float], seed: int = SEED) -> list[float]:
    """The means of `DRAWS` samples of the same size, drawn with replacement."""
    source, generator = np.asarray(values, dtype=float), np.random.default_rng(seed)
    rows = max(1, _CELLS_PER_BATCH // len(source))
    means: list[float] = []
    for start in range(0, DRAWS, rows):
        size = (min(rows, DRAWS - start), len(source))
        means.extend(source[generator.integers(0, len(source), size=size)].mean(axis=1).tolist())
    return means


def percentiles(figures: Sequence[float], level: float, seed: int) -> Interval:
    """The middle `level` of resampled figures."""
    low, high = np.quantile(np.asarray(figures), [(1 - level) / 2, (1 + level) / 2])
    return Interval(low=float(low), high=float(high), level=level, method="bootstrap", seed=seed)
