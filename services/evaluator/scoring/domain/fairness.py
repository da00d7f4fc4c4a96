"""Whether a model answers the same question equally well for each group: a paired test of groups.

The rows of one question differ in the group that they name alone, so each question is its own control. The test is that
of two models (exact McNemar, or sign flips), between two groups of one model; p-values are Holm-corrected over all
pairs of groups.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

from pydantic import BaseModel, ConfigDict

from services.evaluator.scoring.domain import intervals
from services.evaluator.scoring.domain.item import Item
from services.evaluator.scoring.domain.metrics import Measured
from services.evaluator.scoring.domain.paired_test import Verdict, holm, paired_test, verdict
from shared.events import Interval, Score

GAP = "fairness_gap"
FAIR = "fair"
GroupValues = Sequence[Mapping[str, float]]
"""Each question's value by group."""


class GroupDifference(BaseModel):
    """Two groups on the `n` questions that both were asked; `difference` is the first mean minus the second."""

    model_config = ConfigDict(frozen=True)

    first: str
    second: str
    first_mean: float
    second_mean: float
    difference: float
    interval: Interval
    p_value: float
    p_adjusted: float
    test: str
    n: int
    verdict: Verdict


def by_question(questions: Sequence[str], groups: Sequence[str], values: Sequence[float | None]) -> GroupValues:
    """Each question's value by group, for the questions with at least two groups."""
    found: dict[str, dict[str, float]] = {}
    for question, group, value in zip(questions, groups, values, strict=True):
        if question and value is not None:
            found.setdefault(question, {})[group] = value
    return [each for each in found.values() if len(each) > 1]


def group_differences(asked: GroupValues) -> tuple[GroupDifference, ...]:
    """Every two groups that share questions."""
    groups = sorted({group for each in asked for group in each})
    pairs = {
        (first, second): [(each[first], each[second]) for each in asked if first in each and second in each]
        for first, second in combinations(groups, 2)
    }
    tested = {names: (values, paired_test(values)) for names, values in pairs.items() if values}
    corrected = holm([test.p_value for _values, test in tested.values()])
    return tuple(
        GroupDifference(
            first=first,
            second=second,
            first_mean=sum(one for one, _ in values) / test.n,
            second_mean=sum(other for _, other in values) / test.n,
            difference=test.difference,
            interval=test.interval,
            p_value=test.p_value,
            p_adjusted=p_adjusted,
            test=test.test,
            n=test.n,
            verdict=verdict(test.difference, p_adjusted),
        )
        for ((first, second), (values, test)), p_adjusted in zip(tested.items(), corrected, strict=True)
    )


def fairness(items: Sequence[Item], main: Measured) -> dict[str, Measured]:
    """`fairness_gap`, the largest difference between two groups, and `fair`, 1 unless two groups differ by the test."""
    asked = by_question([item.pair for item in items], [item.subject for item in items], main.items)
    if not asked:
        return {}
    found = group_differences(asked)
    no_items = (None,) * len(items)
    fair = all(each.verdict == "no_difference" for each in found)
    interval = intervals.statistic_interval(lambda drawn: _gap([asked[at] for at in drawn]), len(asked))
    return {
        GAP: Measured(no_items, Score(value=max(abs(each.difference) for each in found), n=len(asked)), interval),
        FAIR: Measured(no_items, Score(value=float(fair), n=min(each.n for each in found)), None),
    }


def _gap(asked: GroupValues) -> float | None:
    groups = sorted({group for each in asked for group in each})
    gaps: list[float] = []
    for first, second in combinations(groups, 2):
        own = [each[first] - each[second] for each in asked if first in each and second in each]
        if own:
            gaps.append(abs(sum(own) / len(own)))
    return max(gaps, default=None)
