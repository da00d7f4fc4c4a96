"""Compares checkpoints with each other, with the base model and with production."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from services.evaluator.comparison.domain.side_by_side import ComparedModels, ItemDifference, Row, SideBySide
from services.evaluator.evaluation.domain.evaluation import Evaluation
from services.evaluator.evaluation.service.evaluations import Evaluations
from services.evaluator.scoring.domain.answer import read_lines
from services.evaluator.scoring.ports import Files
from shared.events import Score

ItemFilter = Literal["all", "changed", "gained", "lost"]
MAX_MODELS = 12
_Side = tuple[str, dict[str, list[Row]], Mapping[str, Score]]
_FILTERS: dict[ItemFilter, Callable[[ItemDifference], bool]] = {
    "all": lambda _item: True,
    "changed": lambda item: bool(item.gained or item.lost),
    "gained": lambda item: bool(item.gained),
    "lost": lambda item: bool(item.lost),
}


class CheckpointNotFound(Exception):
    """A checkpoint to compare has no evaluation."""


class NotComparable(Exception):
    """There are too few or too many models, or one that could not be scored."""


@dataclass(frozen=True)
class ComparisonRequest:
    """`checkpoints` are named `<job>/<step>`; `visible` says which evaluations the caller may see."""

    checkpoints: Sequence[str]
    base: bool
    production: bool
    visible: Callable[[Evaluation], bool]


@dataclass(frozen=True)
class Comparisons:
    """`exports` turn a comparison and its items into a file, by format."""

    evaluations: Evaluations
    files: Files
    exports: Mapping[str, Callable[[SideBySide, Sequence[ItemDifference]], bytes]]

    async def side_by_side(self, request: ComparisonRequest) -> SideBySide:
        """Raises `CheckpointNotFound` or `NotComparable`."""
        models, scores = await self._models(request)
        return models.side_by_side(scores)

    async def items(self, request: ComparisonRequest, task: str | None, which: ItemFilter) -> list[ItemDifference]:
        """The items of one task, or of all tasks if it is None."""
        models, _scores = await self._models(request)
        return [item for item in models.items() if task in (None, item.task) and _FILTERS[which](item)]

    async def export(self, request: ComparisonRequest, format: str) -> bytes:
        """Comparison and items as a file of that format."""
        models, scores = await self._models(request)
        return await asyncio.to_thread(self.exports[format], models.side_by_side(scores), models.items())

    async def _models(self, request: ComparisonRequest) -> tuple[ComparedModels, list[Mapping[str, Score]]]:
        sides: list[_Side] = []
        for name in dict.fromkeys(request.checkpoints):
            evaluation = await self._evaluation(name, request)
            first = not sides
            sides += await asyncio.to_thread(
                self._sides, evaluation, request.base and first, request.production and first
            )
        if not 2 <= len(sides) <= MAX_MODELS:
            raise NotComparable(f"2 to {MAX_MODELS} models can be compared, not {len(sides)}")
        tasks = sorted({task for _name, own, _scores in sides for task in own})
        answers = {task: [own.get(task, []) for _name, own, _scores in sides] for task in tasks}
        models = ComparedModels([name for name, _own, _scores in sides], answers)
        return models, [scores for _name, _own, scores in sides]

    async def _evaluation(self, name: str, request: ComparisonRequest) -> Evaluation:
        evaluation = await self.evaluations.by_id(name)
        # Returns 404 for checkpoints of other keys.
        if evaluation is None or not request.visible(evaluation):
            raise CheckpointNotFound(f"there is no evaluation of {name!r}; a checkpoint is named <job>/<step>")
        if evaluation.done.error is not None:
            raise NotComparable(f"{name} could not be scored: {evaluation.done.error.message}")
        return evaluation

    def _sides(self, evaluation: Evaluation, base: bool, production: bool) -> list[_Side]:
        done = evaluation.done
        samples = {"": done.samples, **done.task_samples}
        own: dict[str, list[Row]] = {
            task: [*read_lines(self.files.read(artifact))] for task, artifact in samples.items()
        }
        sides: list[_Side] = []
        if base:
            sides.append(("base", _rows_of(own, "base"), done.base_scores))
        if production and done.production:
            sides.append(("production", _rows_of(own, "production"), done.production_scores))
        sides.append((evaluation.id, own, done.scores))
        return sides


def _rows_of(tasks: Mapping[str, Sequence[Row]], model: str) -> dict[str, list[Row]]:
    """The rows with the answers of the base model or production, without the tasks that it was not asked."""
    return {
        task: [{**row, "answer": row[f"{model}_answer"], "scores": row[f"{model}_scores"]} for row in rows]
        for task, rows in tasks.items()
        if all(f"{model}_answer" in row for row in rows)
    }
