"""Compares checkpoints with each other, with the base model and with production."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from services.evaluator.comparison.domain.group_table import GroupTable, group_tables
from services.evaluator.comparison.domain.item_difference import ItemDifference, ItemFilter, passes
from services.evaluator.comparison.domain.model_facts import Fact, facts_of
from services.evaluator.comparison.domain.requested_results import requested_results
from services.evaluator.comparison.domain.side_by_side import ComparedModels, ModelResults, Row, SideBySide
from services.evaluator.evaluation.domain.evaluation import Evaluation
from services.evaluator.evaluation.domain.score_warnings import score_warnings
from services.evaluator.evaluation.service.evaluations import Evaluations
from services.evaluator.scoring.domain.answer import read_lines
from services.evaluator.scoring.ports import Files
from shared.events import Candidate, EvaluationAnswered

MAX_MODELS = 12
_KEPT_IN_MEMORY = 8


class CheckpointNotFound(Exception):
    """A checkpoint to compare has no evaluation."""


class NotComparable(Exception):
    """There are too few or too many models, or one that could not be scored."""


@dataclass(frozen=True)
class ComparisonRequest:
    """`checkpoints` are named `<job>/<step>`; `visible` says which evaluations the caller may see.

    `against` names the model that the others are tested against; by default the first one.
    """

    checkpoints: Sequence[str]
    base: bool
    production: bool
    visible: Callable[[Evaluation], bool]
    against: str = ""


@dataclass(frozen=True)
class CompleteComparison:
    """Figures and items; it never changes, because a stored evaluation does not."""

    figures: SideBySide
    items: Sequence[ItemDifference]
    facts: Mapping[str, Mapping[Fact, str | None]] = field(default_factory=dict[str, Mapping[Fact, str | None]])
    """How each checkpoint was made; the base model, production and models of a request have none."""
    warnings: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """What the scores of each checkpoint cannot tell, for people."""
    groups: Sequence[GroupTable] = ()
    """The groups of fairness tasks, for each model."""
    candidates: Mapping[str, Candidate] = field(default_factory=dict[str, Candidate])
    """The models that are checkpoints."""
    split: Literal["validation", "test"] | None = None
    """The split of the items without a task; None if it is not known."""


@dataclass(frozen=True)
class Comparisons:
    """`exports` turn a comparison and its items into a file, by format."""

    evaluations: Evaluations
    files: Files
    exports: Mapping[str, Callable[[SideBySide, Sequence[ItemDifference]], bytes]]
    _known: dict[Any, CompleteComparison] = field(default_factory=dict[Any, CompleteComparison], repr=False)
    """The newest comparisons, because a reader goes through many items of one."""

    async def side_by_side(self, request: ComparisonRequest) -> SideBySide:
        """Raises `CheckpointNotFound` or `NotComparable`."""
        return (await self.complete(request)).figures

    async def items(self, request: ComparisonRequest, task: str | None, which: ItemFilter) -> list[ItemDifference]:
        """The items of one task, or of all tasks if it is None."""
        items = (await self.complete(request)).items
        return [item for item in items if task in (None, item.task) and passes(item, which)]

    async def export(self, request: ComparisonRequest, format: str) -> bytes:
        """Comparison and items as a file of that format."""
        found = await self.complete(request)
        return await asyncio.to_thread(self.exports[format], found.figures, found.items)

    async def complete(self, request: ComparisonRequest) -> CompleteComparison:
        """Figures and items; raises `CheckpointNotFound` or `NotComparable`."""
        evaluations = [await self._evaluation(name, request) for name in dict.fromkeys(request.checkpoints)]
        key = (tuple(each.id for each in evaluations), request.base, request.production, request.against)
        if key not in self._known:
            found = await asyncio.to_thread(self._compared, evaluations, request)
            _make_room(self._known)
            self._known[key] = found
        return self._known[key]

    def _compared(self, evaluations: Sequence[Evaluation], request: ComparisonRequest) -> CompleteComparison:
        sides: list[ModelResults] = []
        for evaluation in evaluations:
            first = not sides
            sides += self._sides(evaluation, request.base and first, request.production and first)
        facts = {each.id: facts_of(each) for each in evaluations}
        warnings = {each.id: score_warnings(each.done) for each in evaluations}
        groups = [table for side in sides for table in group_tables(side)]
        return replace(
            compared(sides, request.against),
            facts=facts,
            warnings=warnings,
            groups=groups,
            candidates={each.id: each.done.candidate for each in evaluations},
            split=evaluations[0].done.split,
        )

    async def _evaluation(self, name: str, request: ComparisonRequest) -> Evaluation:
        evaluation = await self.evaluations.by_id(name)
        # Returns 404 for checkpoints of other keys.
        if evaluation is None or not request.visible(evaluation):
            raise CheckpointNotFound(f"there is no evaluation of {name!r}; a checkpoint is named <job>/<step>")
        if evaluation.done.error is not None:
            raise NotComparable(f"{name} could not be scored: {evaluation.done.error.message}")
        return evaluation

    def _sides(self, evaluation: Evaluation, base: bool, production: bool) -> list[ModelResults]:
        done = evaluation.done
        samples = {"": done.samples, **done.task_samples}
        own: dict[str, list[Row]] = {
            task: [*read_lines(self.files.read(artifact))] for task, artifact in samples.items()
        }
        sides: list[ModelResults] = []
        if base:
            rows = _rows_of(own, "base")
            sides.append(ModelResults("base", rows, done.base_scores, done.base_intervals, done.candidate.base_model))
        if production and done.production:
            rows = _rows_of(own, "production")
            figures = done.production_scores, done.production_intervals
            sides.append(ModelResults("production", rows, *figures, done.production))
        mine = ModelResults(evaluation.id, own, done.scores, done.intervals, done.candidate.version)
        return [*sides, mine]


@dataclass(frozen=True)
class RequestedComparisons:
    """Compares the models of an evaluation on request."""

    files: Files
    _known: dict[tuple[str, str], CompleteComparison] = field(
        default_factory=dict[tuple[str, str], CompleteComparison], repr=False
    )

    async def complete(self, answered: EvaluationAnswered, against: str = "") -> CompleteComparison:
        """Figures and items, with the model `against` as the baseline; raises `NotComparable`."""
        key = (answered.evaluation_id, against)
        if key not in self._known:
            _make_room(self._known)
            self._known[key] = await asyncio.to_thread(self._compared, answered, against)
        return self._known[key]

    def _compared(self, answered: EvaluationAnswered, against: str) -> CompleteComparison:
        if answered.report is not None:
            answered = EvaluationAnswered.model_validate_json(self.files.read(answered.report))
        samples = read_lines(self.files.read(answered.samples)) if answered.samples else []
        return compared(requested_results(answered.results, samples), against)


def _make_room(known: dict[Any, CompleteComparison]) -> None:
    while len(known) >= _KEPT_IN_MEMORY:
        del known[next(iter(known))]


def compared(sides: Sequence[ModelResults], against: str = "") -> CompleteComparison:
    """The comparison with the model `against`, or else the first one, as the baseline; raises `NotComparable`."""
    if not 2 <= len(sides) <= MAX_MODELS:
        raise NotComparable(f"2 to {MAX_MODELS} models can be compared, not {len(sides)}")
    names = [each.name for each in sides]
    if against and against not in names:
        raise NotComparable(f"{against!r} is not one of the models that are compared: {', '.join(names)}")
    ordered = sorted(sides, key=lambda each: each.name != against) if against else sides
    models = ComparedModels(ordered)
    return CompleteComparison(models.side_by_side(), models.items())


def _rows_of(tasks: Mapping[str, Sequence[Row]], model: str) -> dict[str, list[Row]]:
    """The rows with the answers of the base model or production, without the tasks that it was not asked."""
    return {
        task: [{**row, "answer": row[f"{model}_answer"], "scores": row[f"{model}_scores"]} for row in rows]
        for task, rows in tasks.items()
        if all(f"{model}_answer" in row for row in rows)
    }
