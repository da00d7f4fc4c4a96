"""Resolves a suite into tasks that can be asked."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.scoring.domain.metrics import JUDGE_METRICS, RATING
from services.evaluator.scoring.domain.target import Target
from services.evaluator.scoring.ports import Files
from services.evaluator.suites.domain.suite import Suite, SuiteContent, task_names
from services.evaluator.suites.domain.task import Format, Table, Task, read_task
from services.evaluator.suites.ports import SuiteFiles, TaskCheck
from shared.events import Artifact, Failure

LM_EVAL = version("lm-eval")


@dataclass(frozen=True)
class PlannedTask:
    """One task of a suite: the artifact of its complete definition, or why it cannot be asked."""

    name: str
    weight: float = 1.0
    metrics: tuple[str, ...] = ()
    artifact: Artifact | None = None
    failure: Failure | None = None

    @property
    def rated(self) -> bool:
        """Whether a judge rates the answers by a rubric."""
        return RATING in self.metrics

    def of(self, target: Target, judge: str, rubric: Artifact | None) -> Target:
        """This task for a target; `judge` measures the judge's metrics. Raises `CannotBeScored`."""
        if self.artifact is None:
            assert self.failure is not None, "a task has an artifact or a failure"
            raise CannotBeScored(self.failure.code, self.failure.message)
        asked = target.on(self.artifact)
        asked = asked.judged_by(judge) if set(self.metrics) & set(JUDGE_METRICS) else asked
        return asked.rated_by(rubric) if self.rated else asked


@dataclass(frozen=True)
class SuitePlan:
    """A suite with all its tasks resolved."""

    name: str
    tasks: tuple[PlannedTask, ...]

    @classmethod
    def failed(cls, name: str, code: str, message: str) -> "SuitePlan":
        return cls(name, (PlannedTask("suite", failure=Failure(code=code, message=message)),))


@dataclass(frozen=True)
class Planner:
    """Stores the complete definition of each task as an artifact, whose digest identifies the questions."""

    folders: SuiteFiles
    files: Files
    task_check: TaskCheck

    def plan(self, suite: Suite) -> SuitePlan:
        names = task_names(suite.tasks)
        return SuitePlan(
            suite.name, tuple(self._task(suite, name, raw) for name, raw in zip(names, suite.tasks, strict=True))
        )

    def portable(self, suite: Suite) -> SuiteContent:
        """The suite with artifacts in place of files, so that other services can read its questions."""
        return suite.content.model_copy(update={"tasks": tuple(self._portable(suite, raw) for raw in suite.tasks)})

    def _portable(self, suite: Suite, raw: dict[str, Any]) -> dict[str, Any]:
        try:
            plain = self.folders.harness(suite.name, raw) if "harness" in raw else raw
            task = read_task(plain)
            tables = {"data": self._stored(suite, task.data), "examples": self._stored(suite, task.examples)}
        except CannotBeScored:
            return raw
        named = {field: table for field, table in tables.items() if table is not None and field in plain}
        return {**plain, **{field: table.model_dump(exclude_none=True) for field, table in named.items()}}

    def _task(self, suite: Suite, name: str, raw: dict[str, Any]) -> PlannedTask:
        try:
            task = read_task(self.folders.harness(suite.name, raw) if "harness" in raw else raw)
            self.task_check.check_metrics(task)
            if task.lm_eval is not None:
                return self._planned(name, task, {"lm_eval": task.lm_eval.model_copy(update={"version": LM_EVAL})})
            tables = {"data": self._stored(suite, task.data), "examples": self._stored(suite, task.examples)}
        except CannotBeScored as error:
            return PlannedTask(name, failure=Failure(code=error.code, message=str(error)))
        return self._planned(name, task, tables)

    def _planned(self, name: str, task: Task, changes: dict[str, Any]) -> PlannedTask:
        # Scores do not depend on the weight, so a changed weight must not change the artifact.
        complete = task.model_copy(update={**changes, "weight": 1.0})
        left_out = {"data"} if task.lm_eval else None
        content = complete.model_dump_json(exclude=left_out).encode()
        return PlannedTask(name, task.weight, task.measured_by, self.files.put_bytes(content))

    def _stored(self, suite: Suite, table: Table | None) -> Table | None:
        if table is None or table.artifact is not None:
            return table
        if table.rows is not None:
            return Table(artifact=self.files.put_bytes(_to_jsonl(table.rows)), format="jsonl")
        assert table.file is not None
        content = self.folders.table(suite.name, table)
        return Table(artifact=self.files.put_bytes(content), format=table.format or format_of(table.file))


def format_of(filename: str) -> Format:
    """The format of a table by its file's extension; raises `CannotBeScored`."""
    extension = filename.rpartition(".")[2].lower()
    for known in ("csv", "jsonl", "json", "xlsx"):
        if extension == known:
            return known
    hint = "name it with `format`, or use .csv, .jsonl, .json or .xlsx"
    raise CannotBeScored("bad_table", f"the format of {filename!r} is unknown: {hint}")


def _to_jsonl(rows: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)
