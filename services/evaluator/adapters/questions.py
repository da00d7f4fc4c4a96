"""The questions of a target, from the artifacts that hold them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.evaluator.adapters.metrics import registry
from services.evaluator.adapters.tables import read_table
from services.evaluator.adapters.templates import Prompt
from services.evaluator.domain import judging, metrics
from services.evaluator.domain.metrics import Measured
from services.evaluator.domain.questions import items_of
from services.evaluator.domain.results import Answer, Target
from services.evaluator.domain.suite import Item, answer_tokens, read_items
from services.evaluator.domain.tasks import Table, Task
from shared.artifacts import Artifacts

SPEED_TOKENS = 64
"""As many tokens has an answer that is timed, unless its task says otherwise."""


@dataclass(frozen=True)
class Questions:
    """What to ask, how long an answer may be, and what to measure; None stands for what is always measured."""

    items: tuple[Item, ...]
    max_tokens: int
    metrics: tuple[str, ...] | None = None

    @property
    def judged(self) -> tuple[str, ...]:
        """The metrics that a judge gives."""
        return tuple(name for name in self.metrics or () if name in judging.METRICS)

    def measure(self, answers: Sequence[Answer], more: Sequence[str] = ()) -> dict[str, Measured]:
        """Each metric but the judge's; `more` are measured of a test split beside what always is."""
        asked = self.metrics if self.metrics is not None else (*metrics.METRICS, *more)
        plain = [name for name in asked if name not in judging.METRICS]
        said, wanted = [answer.text for answer in answers], [item.reference for item in self.items]
        return metrics.measure(said, wanted, registry.load(plain))


def read_questions(artifacts: Artifacts, target: Target, most_tokens: int) -> Questions:
    """A target's questions; raises `CannotBeScored` and `ArtifactError`."""
    if target.kind == "test_split":
        items = read_items(artifacts.read(target.test))
        return Questions(items, answer_tokens([item.reference for item in items], most_tokens))
    task = Task.model_validate_json(artifacts.read(target.test))
    registry.check(task.measured_by)
    rows, examples = table_rows(artifacts, task.data), table_rows(artifacts, task.examples)
    items = items_of(task, rows, examples, Prompt(task.template))
    room = SPEED_TOKENS if task.kind == "speed" else answer_tokens([item.reference for item in items], most_tokens)
    return Questions(items, min(task.max_tokens or room, most_tokens), task.measured_by)


def table_rows(artifacts: Artifacts, table: Table | None) -> list[dict[str, Any]]:
    """The rows that a table holds itself or as an artifact; raises `CannotBeScored` and `ArtifactError`."""
    if table is not None and table.rows is not None:
        return list(table.rows)
    if table is None or table.artifact is None or table.format is None:
        return []
    return read_table(artifacts.read(table.artifact), table.format)
