"""Two models on the same items: a verdict needs the test, not the difference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from services.evaluator.domain import statistics
from shared.events import Comparison, Interval

ALPHA = 0.05
Verdict = Literal["better", "worse", "no_difference"]
ItemScores = Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class Paired:
    """One metric's paired test, not yet corrected for the others."""

    difference: float
    interval: Interval
    p_value: float
    test: Literal["mcnemar", "sign_flips"]
    n: int
    gained: int
    lost: int


def compare(mine: ItemScores, others: ItemScores, against: str) -> tuple[Comparison, ...]:
    """Each metric that both have, on the items for which both have it; p-values are Holm-corrected over all of them.

    The rows are the same items in the same order, each with its scores by metric.
    """
    return compared(pairs(mine, others), against)


def pairs(mine: ItemScores, others: ItemScores) -> dict[str, list[tuple[float, float]]]:
    """Both models' values of each metric that both have, item by item."""
    found = {name: _pairs(mine, others, name) for name in sorted(_names(mine) & _names(others))}
    return {name: values for name, values in found.items() if values}


def compared(values: Mapping[str, Sequence[tuple[float, float]]], against: str) -> tuple[Comparison, ...]:
    """The test of each metric; p-values are Holm-corrected over all of them."""
    tested = {name: paired(found) for name, found in values.items()}
    corrected = statistics.holm([test.p_value for test in tested.values()])
    return tuple(
        _comparison(name, test, p_adjusted, against)
        for (name, test), p_adjusted in zip(tested.items(), corrected, strict=True)
    )


def paired(pairs: Sequence[tuple[float, float]], seed: int = statistics.SEED) -> Paired:
    """The exact McNemar test where all are right or wrong, else sign flips; the interval is a paired bootstrap's."""
    differences = [mine - other for mine, other in pairs]
    gained, lost = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    decided = all(value in (0.0, 1.0) for pair in pairs for value in pair)
    return Paired(
        difference=sum(differences) / len(differences),
        interval=statistics.percentiles(statistics.bootstrap_means(differences, seed), statistics.LEVEL, seed),
        p_value=statistics.mcnemar(gained, lost) if decided else statistics.sign_flips(differences, seed),
        test="mcnemar" if decided else "sign_flips",
        n=len(pairs),
        gained=gained,
        lost=lost,
    )


def verdict(difference: float, p_adjusted: float, alpha: float = ALPHA) -> Verdict:
    """What may be said: a difference that chance explains is none."""
    if p_adjusted > alpha or difference == 0:
        return "no_difference"
    return "better" if difference > 0 else "worse"


def _comparison(name: str, test: Paired, p_adjusted: float, against: str) -> Comparison:
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


def _names(rows: ItemScores) -> set[str]:
    return {name for row in rows for name in row}


def _pairs(mine: ItemScores, others: ItemScores, name: str) -> list[tuple[float, float]]:
    rows = zip(mine, others, strict=True)
    return [(own[name], other[name]) for own, other in rows if name in own and name in other]
