"""Reads the questions of a target from artifacts."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.evaluator.scoring.adapters.metrics import registry
from services.evaluator.scoring.domain import metrics
from services.evaluator.scoring.domain.answer import Answer
from services.evaluator.scoring.domain.fairness import fairness
from services.evaluator.scoring.domain.item import CannotBeScored, Item, answer_tokens, read_items
from services.evaluator.scoring.domain.metrics import Measured
from services.evaluator.scoring.domain.target import Target
from services.evaluator.suites.adapters.prompt_template import PromptTemplate
from services.evaluator.suites.adapters.tables import Rows, read_table
from services.evaluator.suites.domain.task import Table, Task
from services.evaluator.suites.domain.task_items import items_of
from shared.artifacts import ArtifactError, Artifacts

SPEED_TOKENS = 64
"""Default length of timed answers."""


@dataclass(frozen=True)
class Questions:
    """The items, the maximum length of an answer, and the metrics; None stands for those of every test split."""

    items: tuple[Item, ...]
    max_tokens: int
    metrics: tuple[str, ...] | None = None

    @property
    def judged(self) -> tuple[str, ...]:
        """The metrics that need a judge."""
        return tuple(name for name in self.metrics or () if name in metrics.JUDGE_METRICS)

    def measure(self, answers: Sequence[Answer], more: Sequence[str] = ()) -> dict[str, Measured]:
        """Each metric except the judge's; `more` are additional metrics of a test split."""
        asked = self.metrics if self.metrics is not None else (*metrics.METRICS, *more)
        plain = [name for name in asked if name not in metrics.JUDGE_METRICS]
        texts, references = [answer.text for answer in answers], [item.reference for item in self.items]
        return metrics.measure(texts, references, registry.load(plain))

    def fairness(self, measured: Mapping[str, Measured]) -> dict[str, Measured]:
        """The groups compared by the main metric, if the task asks the same questions for several groups."""
        main = measured.get(self.metrics[0]) if self.metrics else None
        return fairness(self.items, main) if main else {}


def read_task_of(artifacts: Artifacts, target: Target) -> Task | None:
    """The task of a target; None for a test split. Raises `ArtifactError`."""
    return Task.model_validate_json(artifacts.read(target.test)) if target.kind == "task" else None


def read_questions(artifacts: Artifacts, target: Target, most_tokens: int) -> Questions:
    """A target's questions; raises `CannotBeScored` and `ArtifactError`."""
    task = read_task_of(artifacts, target)
    if task is None:
        items = read_items(artifacts.read(target.test))
        return Questions(items, answer_tokens([item.reference for item in items], most_tokens))
    registry.check(task.measured_by)
    rows, examples = table_rows(artifacts, task.data), table_rows(artifacts, task.examples)
    items = items_of(task, rows, examples, PromptTemplate(task.template))
    room = SPEED_TOKENS if task.kind == "speed" else answer_tokens([item.reference for item in items], most_tokens)
    return Questions(items, min(task.max_tokens or room, most_tokens), task.measured_by)


@dataclass(frozen=True)
class TaskChecker:
    """Checks tasks before they are stored."""

    artifacts: Artifacts

    async def check(self, task: Task) -> None:
        """Raise `CannotBeScored` for an unknown metric, an unreadable table, a bad row or a bad template."""
        self.check_metrics(task)
        if task.lm_eval is not None:
            return
        rows, examples = await asyncio.to_thread(self._checked_rows, task)
        # Rendering is limited by a signal, which only the main thread gets; one row shows what is wrong.
        alone = task.model_copy(update={"fairness": False})
        items_of(alone, rows[:1], examples[:1], PromptTemplate(task.template))

    def check_metrics(self, task: Task) -> None:
        if task.lm_eval is None:
            registry.check(task.measured_by)

    def _checked_rows(self, task: Task) -> tuple[Rows, Rows]:
        try:
            rows, examples = table_rows(self.artifacts, task.data), table_rows(self.artifacts, task.examples)
        except ArtifactError as error:
            raise CannotBeScored("artifact_damaged", str(error)) from None
        items_of(task, rows, examples, lambda _values: "")
        return rows, examples


def table_rows(artifacts: Artifacts, table: Table | None) -> Rows:
    """A table's rows, inline or from its artifact; raises `CannotBeScored` and `ArtifactError`."""
    if table is not None and table.rows is not None:
        return list(table.rows)
    if table is None or table.artifact is None or table.format is None:
        return []
    return read_table(artifacts.read(table.artifact), table.format)
