"""The scores of a comparison as lines of a table, and the ones that its pictures show."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from services.evaluator.comparison.domain.item_difference import ItemDifference
from services.evaluator.comparison.domain.side_by_side import SideBySide
from services.evaluator.scoring.domain.metrics import LESS_IS_BETTER, main_metric
from shared.events import Comparison, Interval, Score


@dataclass(frozen=True)
class ScoreCell:
    """One model's figure; each part is None where it was not measured or not tested."""

    model: str
    score: Score | None
    interval: Interval | None
    test: Comparison | None


@dataclass(frozen=True)
class ScoreLine:
    """One metric of all models, in the order of the comparison."""

    metric: str
    cells: tuple[ScoreCell, ...]

    @property
    def n(self) -> int | None:
        return next((cell.score.n for cell in self.cells if cell.score), None)

    @property
    def less_is_better(self) -> bool:
        return self.metric.rpartition(".")[2] in LESS_IS_BETTER

    @property
    def weighted(self) -> bool:
        """Whether it is the weighted mean of a suite's tasks, which no paired test judges."""
        return self.metric.endswith(".score")

    def is_worse(self, model: str) -> bool:
        return any(cell.model == model and cell.test and cell.test.verdict == "worse" for cell in self.cells)

    @property
    def fits_picture(self) -> bool:
        """Whether every model has a figure from 0 to 1 of which more is better."""
        complete = all(cell.score and 0 <= cell.score.value <= 1 for cell in self.cells)
        return complete and not self.less_is_better


def score_lines(found: SideBySide, items: Sequence[ItemDifference], looked_at: str) -> list[ScoreLine]:
    """One line a metric: the main one, then those on which the model that is looked at is worse, then each task's."""
    tests = {name: {test.metric: test for test in own} for name, own in found.comparisons.items()}
    lines = [
        ScoreLine(
            metric,
            tuple(
                ScoreCell(
                    name, scores.get(name), found.intervals.get(metric, {}).get(name), tests.get(name, {}).get(metric)
                )
                for name in found.models
            ),
        )
        for metric, scores in found.scores.items()
    ]
    first, tasks = main_metric([*found.scores]), _task_metrics(items)
    return sorted(
        lines,
        key=lambda line: (
            line.metric != first,
            not line.is_worse(looked_at),
            not line.weighted,
            line.metric not in tasks,
        ),
    )


def verdict_counts(found: SideBySide) -> dict[str, Counter[str]]:
    """How many metrics are better, worse or not different, by model."""
    return {name: Counter(test.verdict for test in tests) for name, tests in found.comparisons.items()}


def pictured(lines: Sequence[ScoreLine], items: Sequence[ItemDifference], most: int) -> list[ScoreLine]:
    """At most so many lines for a picture, in their order: whole suites, each task's main metric, then others."""
    tasks = _task_metrics(items)
    fitting = [line for line in lines if line.fits_picture]
    chosen = sorted(fitting, key=lambda line: (not line.weighted, line.metric not in tasks))[:most]
    return [line for line in fitting if line in chosen]


def _task_metrics(items: Sequence[ItemDifference]) -> Collection[str]:
    """The main metric of each task."""
    return {f"{item.task}.{item.metric}" if item.task else item.metric for item in items}
