"""Significance tests of two models on the same items. A verdict follows from the test, not from the difference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from services.evaluator.scoring.domain import intervals
from shared.events import Comparison, Interval

ALPHA = 0.05
_CELLS_PER_BATCH = 2_000_000
Verdict = Literal["better", "worse", "no_difference"]
ItemScores = Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class PairedTest:
    """One metric's paired test, before the correction for multiple comparisons."""

    difference: float
    interval: Interval
    p_value: float
    test: Literal["mcnemar", "sign_flips"]
    n: int
    gained: int
    lost: int


def compare(mine: ItemScores, others: ItemScores, against: str) -> tuple[Comparison, ...]:
    """Compares each metric that both models have; p-values are Holm-corrected over all of them.

    The rows are the same items in the same order, each with its scores by metric.
    """
    return comparisons(value_pairs(mine, others), against)


def value_pairs(mine: ItemScores, others: ItemScores) -> dict[str, list[tuple[float, float]]]:
    """Both models' values by metric, for the items on which both have it."""
    found = {name: _value_pairs(mine, others, name) for name in sorted(_metrics(mine) & _metrics(others))}
    return {name: values for name, values in found.items() if values}


def comparisons(values: Mapping[str, Sequence[tuple[float, float]]], against: str) -> tuple[Comparison, ...]:
    """The test of each metric; p-values are Holm-corrected over all of them."""
    tested = {name: paired_test(pairs) for name, pairs in values.items()}
    corrected = holm([test.p_value for test in tested.values()])
    return tuple(
        _comparison(name, test, p_adjusted, against)
        for (name, test), p_adjusted in zip(tested.items(), corrected, strict=True)
    )


def paired_test(pairs: Sequence[tuple[float, float]], seed: int = intervals.SEED) -> PairedTest:
    """Exact McNemar if every value is 0 or 1, else random sign flips; the interval is a paired bootstrap's."""
    differences = [mine - other for mine, other in pairs]
    gained, lost = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    binary = all(value in (0.0, 1.0) for pair in pairs for value in pair)
    return PairedTest(
        difference=sum(differences) / len(differences),
        interval=intervals.percentiles(intervals.bootstrap_means(differences, seed), intervals.LEVEL, seed),
        p_value=mcnemar(gained, lost) if binary else sign_flips(differences, seed),
        test="mcnemar" if binary else "sign_flips",
        n=len(pairs),
        gained=gained,
        lost=lost,
    )


def mcnemar(gained: int, lost: int) -> float:
    """The exact two-sided p-value (McNemar 1947): `gained` items became right while `lost` became wrong."""
    # Importing scipy.stats takes two seconds: the service starts without it, and workers never need it.
    from scipy.stats import binomtest

    n = gained + lost
    return float(binomtest(gained, n).pvalue) if n else 1.0


def sign_flips(differences: Sequence[float], seed: int = intervals.SEED) -> float:
    """The two-sided p-value of a mean paired difference by random sign flips (Fisher 1935).

    If there is no difference, each item's difference is equally likely with the opposite sign. The error rate therefore
    holds for any number of items; a bootstrap's p-value is too small for few. The observed one counts as a draw.
    """
    source, generator = np.asarray(differences, dtype=float), np.random.default_rng(seed)
    observed = abs(source.sum()) - 1e-12 * max(1.0, float(np.abs(source).sum()))
    rows = max(1, _CELLS_PER_BATCH // len(source))
    extreme = 0
    for start in range(0, intervals.DRAWS, rows):
        size = (min(rows, intervals.DRAWS - start), len(source))
        signs = generator.integers(0, 2, size=size) * 2 - 1
        extreme += int((np.abs(signs @ source) >= observed).sum())
    return (extreme + 1) / (intervals.DRAWS + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values corrected for multiple comparisons (Holm 1979), in their order."""
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    adjusted, floor = [0.0] * len(p_values), 0.0
    for rank, at in enumerate(order):
        floor = max(floor, min(1.0, p_values[at] * (len(p_values) - rank)))
        adjusted[at] = floor
    return adjusted


def verdict(difference: float, p_adjusted: float, alpha: float = ALPHA) -> Verdict:
    """A difference that chance explains is not a difference."""
    if p_adjusted > alpha or difference == 0:
        return "no_difference"
    return "better" if difference > 0 else "worse"


def _comparison(name: str, test: PairedTest, p_adjusted: float, against: str) -> Comparison:
    return Comparison(
        metric=name,
        against=against,
        difference=test.difference,
        interval=test.interval,
        p_value=test.p_value,
        p_adjusted=p_adjusted,
        test=test.test,
        n=test.n,
        gained=test.gained,
        lost=test.lost,
        verdict=verdict(test.difference, p_adjusted),
    )


def _metrics(rows: ItemScores) -> set[str]:
    return {name for row in rows for name in row}


def _value_pairs(mine: ItemScores, others: ItemScores, name: str) -> list[tuple[float, float]]:
    rows = zip(mine, others, strict=True)
    return [(own[name], other[name]) for own, other in rows if name in own and name in other]
