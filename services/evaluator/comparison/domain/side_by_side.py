"""Several models on the same questions: scores, subjects, paired tests, and the items on which they differ."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from services.evaluator.scoring.domain.answer import question
from services.evaluator.scoring.domain.paired_test import comparisons, value_pairs
from shared.events import Comparison, Score

Row = Mapping[str, Any]


class ItemDifference(BaseModel):
    """One item as each model answered it; `gained` and `lost` compare the models with the first one."""

    model_config = ConfigDict(frozen=True)

    task: str
    place: int
    question: str
    prompt: Any
    reference: str
    subject: str
    answers: dict[str, str]
    scores: dict[str, dict[str, float]]
    gained: tuple[str, ...]
    """Models that score higher than the first by the task's main metric."""
    lost: tuple[str, ...]
    """Models that score lower than the first."""


class SideBySide(BaseModel):
    """Scores by metric and model; subjects by metric, subject and model; each model's paired test against the first.

    `left_out` names the tasks on which the models cannot be compared, and why.
    """

    model_config = ConfigDict(frozen=True)

    models: tuple[str, ...]
    scores: dict[str, dict[str, Score]]
    subjects: dict[str, dict[str, dict[str, Score]]]
    comparisons: dict[str, tuple[Comparison, ...]]
    left_out: dict[str, str]


class ComparedModels:
    """The answers of several models by task. The first model is the baseline."""

    def __init__(self, names: Sequence[str], tasks: Mapping[str, Sequence[Sequence[Row]]]) -> None:
        """`tasks` hold, for each model in order, its rows of `{"prompt", "reference", "answer", "scores"}`."""
        self._names = tuple(names)
        self.left_out = {task: why for task, sides in tasks.items() if (why := _not_comparable(sides))}
        self._tasks = {task: sides for task, sides in tasks.items() if task not in self.left_out}

    def side_by_side(self, scores: Sequence[Mapping[str, Score]]) -> SideBySide:
        """Everything except the items; `scores` are those of each model's own evaluation."""
        names = sorted({name for task in self._tasks for name in _metrics(task, self._tasks[task])})
        return SideBySide(
            models=self._names,
            scores={
                name: {model: own[name] for model, own in zip(self._names, scores, strict=True) if name in own}
                for name in names
            },
            subjects=self._subjects(),
            comparisons=self._comparisons(),
            left_out=self.left_out,
        )

    def items(self) -> list[ItemDifference]:
        """Every item of every task."""
        return [
            self._item(task, place, rows)
            for task, sides in sorted(self._tasks.items())
            for place, rows in enumerate(zip(*sides, strict=True), start=1)
        ]

    def _comparisons(self) -> dict[str, tuple[Comparison, ...]]:
        first, *others = self._names
        found: dict[str, tuple[Comparison, ...]] = {}
        for at, name in enumerate(others, start=1):
            values = {
                _full_name(task, metric): pairs
                for task, sides in sorted(self._tasks.items())
                for metric, pairs in value_pairs(_scores(sides[at]), _scores(sides[0])).items()
            }
            found[name] = comparisons(values, first)
        return found

    def _subjects(self) -> dict[str, dict[str, dict[str, Score]]]:
        found: dict[str, dict[str, dict[str, Score]]] = {}
        for task, sides in sorted(self._tasks.items()):
            for model, rows in zip(self._names, sides, strict=True):
                for (metric, subject), values in sorted(_by_subject(rows).items()):
                    score = Score(value=sum(values) / len(values), n=len(values))
                    found.setdefault(_full_name(task, metric), {}).setdefault(subject, {})[model] = score
        return found

    def _item(self, task: str, place: int, rows: Sequence[Row]) -> ItemDifference:
        first = rows[0]
        metric = _main_metric(first)
        values = {name: row["scores"].get(metric, 0.0) for name, row in zip(self._names, rows, strict=True)}
        baseline = values[self._names[0]]
        return ItemDifference(
            task=task,
            place=place,
            question=question(first),
            prompt=first["prompt"],
            reference=first["reference"],
            subject=first.get("subject", ""),
            answers={name: row["answer"] for name, row in zip(self._names, rows, strict=True)},
            scores={name: row["scores"] for name, row in zip(self._names, rows, strict=True)},
            gained=tuple(name for name, value in values.items() if value > baseline),
            lost=tuple(name for name, value in values.items() if value < baseline),
        )


def _not_comparable(sides: Sequence[Sequence[Row]]) -> str:
    if any(not side for side in sides):
        return "not every model was asked it"
    asked = [[(row["prompt"], row["reference"]) for row in side] for side in sides]
    return "" if all(each == asked[0] for each in asked) else "the models were asked different questions"


def _main_metric(row: Row) -> str:
    """The metric that decides whether an item is right: the exact ones where they are measured."""
    scores = row["scores"]
    return next((name for name in ("accuracy", "exact_match") if name in scores), min(scores, default=""))


def _full_name(task: str, metric: str) -> str:
    return f"{task}.{metric}" if task else metric


def _metrics(task: str, sides: Sequence[Sequence[Row]]) -> set[str]:
    return {_full_name(task, metric) for rows in sides for row in rows for metric in row["scores"]}


def _scores(rows: Sequence[Row]) -> list[dict[str, float]]:
    return [row["scores"] for row in rows]


def _by_subject(rows: Sequence[Row]) -> dict[tuple[str, str], list[float]]:
    found: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        for metric, value in row["scores"].items():
            if subject := row.get("subject"):
                found.setdefault((metric, subject), []).append(value)
    return found
