"""Several models on the same questions: scores, subjects, paired tests, and the items on which they differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from services.evaluator.comparison.domain.item_difference import ItemDifference, difference_of
from services.evaluator.scoring.domain.paired_test import comparisons, value_pairs
from shared.events import Comparison, Interval, Score

Row = Mapping[str, Any]


@dataclass(frozen=True)
class ModelResults:
    """One model: its rows of `{"prompt", "reference", "answer", "scores"}` by task, and the scores of its evaluation.

    `detail` says which weights answered: the base model, or a version.
    """

    name: str
    rows: Mapping[str, Sequence[Row]]
    scores: Mapping[str, Score] = field(default_factory=dict[str, Score])
    intervals: Mapping[str, Interval] = field(default_factory=dict[str, Interval])
    detail: str = ""


class SideBySide(BaseModel):
    """Scores by metric and model; subjects by metric, subject and model; each model's paired test against the first.

    `left_out` names the tasks on which the models cannot be compared, and why. `details` say which weights answered.
    """

    model_config = ConfigDict(frozen=True)

    models: tuple[str, ...]
    scores: dict[str, dict[str, Score]]
    intervals: dict[str, dict[str, Interval]] = Field(default_factory=dict)
    subjects: dict[str, dict[str, dict[str, Score]]]
    comparisons: dict[str, tuple[Comparison, ...]]
    left_out: dict[str, str]
    details: dict[str, str] = Field(default_factory=dict)


class ComparedModels:
    """The answers of several models by task. The first model is the baseline."""

    def __init__(self, results: Sequence[ModelResults]) -> None:
        self._results = tuple(results)
        self.names = tuple(each.name for each in results)
        tasks = {
            task: [each.rows.get(task, ()) for each in results]
            for task in sorted({task for each in results for task in each.rows})
        }
        self.left_out = {task: why for task, sides in tasks.items() if (why := _not_comparable(sides))}
        self._tasks = {task: sides for task, sides in tasks.items() if task not in self.left_out}

    def side_by_side(self) -> SideBySide:
        """Everything except the items."""
        metrics = [*self._suite_scores(), *sorted({name for task in self._tasks for name in self._metrics(task)})]
        scores = {
            name: {each.name: each.scores[name] for each in self._results if name in each.scores} for name in metrics
        }
        return SideBySide(
            models=self.names,
            scores=scores,
            intervals={
                name: {each.name: each.intervals[name] for each in self._results if name in each.intervals}
                for name in scores
            },
            subjects=self._subjects(),
            comparisons=self._comparisons(),
            left_out=self.left_out,
            details={each.name: each.detail for each in self._results if each.detail},
        )

    def items(self) -> list[ItemDifference]:
        """Every item of every task."""
        return [
            difference_of(task, place, dict(zip(self.names, rows, strict=True)))
            for task, sides in self._tasks.items()
            for place, rows in enumerate(zip(*sides, strict=True), start=1)
        ]

    def _suite_scores(self) -> list[str]:
        """The weighted scores of suites, without those of a suite with a task that is left out."""
        suites = {task.partition(".")[0] for task in self._tasks if task}
        incomplete = {task.partition(".")[0] for task in self.left_out}
        return [f"{suite}.score" for suite in sorted(suites - incomplete)]

    def _metrics(self, task: str) -> set[str]:
        return {_full_name(task, metric) for rows in self._tasks[task] for row in rows for metric in row["scores"]}

    def _comparisons(self) -> dict[str, tuple[Comparison, ...]]:
        first, *others = self.names
        found: dict[str, tuple[Comparison, ...]] = {}
        for at, name in enumerate(others, start=1):
            values = {
                _full_name(task, metric): pairs
                for task, sides in self._tasks.items()
                for metric, pairs in value_pairs(_scores(sides[at]), _scores(sides[0])).items()
            }
            found[name] = comparisons(values, first)
        return found

    def _subjects(self) -> dict[str, dict[str, dict[str, Score]]]:
        found: dict[str, dict[str, dict[str, Score]]] = {}
        for task, sides in self._tasks.items():
            for model, rows in zip(self.names, sides, strict=True):
                for (metric, subject), values in sorted(_by_subject(rows).items()):
                    score = Score(value=sum(values) / len(values), n=len(values))
                    found.setdefault(_full_name(task, metric), {}).setdefault(subject, {})[model] = score
        return found


def _not_comparable(sides: Sequence[Sequence[Row]]) -> str:
    if any(not side for side in sides):
        return "not every model was asked it"
    asked = [[(row["prompt"], row["reference"]) for row in side] for side in sides]
    return "" if all(each == asked[0] for each in asked) else "the models were asked different questions"


def _full_name(task: str, metric: str) -> str:
    return f"{task}.{metric}" if task else metric


def _scores(rows: Sequence[Row]) -> list[dict[str, float]]:
    return [row["scores"] for row in rows]


def _by_subject(rows: Sequence[Row]) -> dict[tuple[str, str], list[float]]:
    found: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        for metric, value in row["scores"].items():
            if subject := row.get("subject"):
                found.setdefault((metric, subject), []).append(value)
    return found
