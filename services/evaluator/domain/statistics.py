"""How sure a score is, and whether a difference on the same items is more than chance. Every draw has a seed."""

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np

from shared.events import Interval

LEVEL = 0.95
DRAWS = 2000
SEED = 0
_CELLS_AT_ONCE = 2_000_000


def wilson(successes: int, n: int, level: float = LEVEL) -> Interval:
    """The interval of a proportion (Wilson 1927); unlike p ± z·√(p(1-p)/n) it is right at 0 and 1 and for few items."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, spread = successes / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    low, high = max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))
    return Interval(low=low, high=high, level=level, method="wilson", seed=None)


def mean_interval(values: Sequence[float], level: float = LEVEL, seed: int = SEED) -> Interval:
    """The interval of a mean: Wilson's where each value is 0 or 1, else the percentile bootstrap (Efron 1979)."""
    if all(value in (0.0, 1.0) for value in values):
        return wilson(round(sum(values)), len(values), level)
    return percentiles(bootstrap_means(values, seed), level, seed)


def statistic_interval(
    statistic: Callable[[Sequence[int]], float], n: int, level: float = LEVEL, seed: int = SEED
) -> Interval:
    """The percentile bootstrap of a figure that is no mean; `statistic` gets the positions of the items drawn."""
    drawn = np.random.default_rng(seed).integers(0, n, size=(DRAWS // 4, n))
    return percentiles([statistic(row.tolist()) for row in drawn], level, seed)


def bootstrap_means(values: Sequence[float], seed: int = SEED) -> list[float]:
    """The means of `DRAWS` samples of as many values, drawn with replacement."""
    source, generator = np.asarray(values, dtype=float), np.random.default_rng(seed)
    rows = max(1, _CELLS_AT_ONCE // len(source))
    means: list[float] = []
    for start in range(0, DRAWS, rows):
        size = (min(rows, DRAWS - start), len(source))
        means.extend(source[generator.integers(0, len(source), size=size)].mean(axis=1).tolist())
    return means


def percentiles(figures: Sequence[float], level: float, seed: int) -> Interval:
    """The middle `level` of resampled figures."""
    low, high = np.quantile(np.asarray(figures), [(1 - level) / 2, (1 + level) / 2])
    return Interval(low=float(low), high=float(high), level=level, method="bootstrap", seed=seed)


def mcnemar(gained: int, lost: int) -> float:
    """The exact two-sided p-value (McNemar 1947) of `gained` items turned right while `lost` turned wrong."""
    n = gained + lost
    if n == 0:
        return 1.0
    # Integers, so that many items neither overflow nor vanish.
    tail = sum(math.comb(n, k) for k in range(min(gained, lost) + 1))
    return min(1.0, 2 * tail / 2**n)


def sign_flips(differences: Sequence[float], seed: int = SEED) -> float:
    """The two-sided p-value of a mean paired difference by random sign flips (Fisher 1935).

    Under "no difference" each item's difference is as likely with the other sign, so the error rate holds for any
    number of items, where a bootstrap's p-value is too small for few. The observed one counts as one of the draws.
    """
    source, generator = np.asarray(differences, dtype=float), np.random.default_rng(seed)
    observed = abs(source.sum()) - 1e-12 * max(1.0, float(np.abs(source).sum()))
    rows = max(1, _CELLS_AT_ONCE // len(source))
    extreme = 0
    for start in range(0, DRAWS, rows):
        size = (min(rows, DRAWS - start), len(source))
        signs = generator.integers(0, 2, size=size) * 2 - 1
        extreme += int((np.abs(signs @ source) >= observed).sum())
    return (extreme + 1) / (DRAWS + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values corrected for being many (Holm 1979), in their order: the whole family errs as rarely as one."""
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    adjusted, floor = [0.0] * len(p_values), 0.0
    for rank, at in enumerate(order):
        floor = max(floor, min(1.0, p_values[at] * (len(p_values) - rank)))
        adjusted[at] = floor
    return adjusted
