"""The suites: those in folders of the server, and those put by HTTP."""

import asyncio
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.scoring.ports import Files
from services.evaluator.suites.domain.suite import Suite, SuiteContent, task_names
from services.evaluator.suites.domain.task import NAME, Format, Table, Task, read_task
from services.evaluator.suites.ports import SuiteFiles, SuiteStore
from shared.events import Artifact, Failure


class SuiteRefused(Exception):
    """A suite is invalid; the message says which task and why."""


@dataclass(frozen=True)
class PlannedTask:
    """One task of a suite: the artifact of its complete definition, or why it cannot be asked."""

    name: str
    weight: float = 1.0
    metrics: tuple[str, ...] = ()
    artifact: Artifact | None = None
    failure: Failure | None = None


@dataclass(frozen=True)
class SuitePlan:
    """A suite with all its tasks resolved."""

    name: str
    tasks: tuple[PlannedTask, ...]


@dataclass(frozen=True)
class SuiteCatalog:
    """`check_metrics` raises `CannotBeScored` for an unknown metric."""

    store: SuiteStore
    folders: SuiteFiles
    files: Files
    check_metrics: Callable[[Iterable[str]], None]
    default: str = ""

    async def get(self, name: str) -> Suite | None:
        """A suite by name; raises `CannotBeScored` if its file is not a suite."""
        if not re.fullmatch(NAME, name):
            return None
        return await asyncio.to_thread(self.folders.get, name) or await self.store.get(name)

    async def names(self) -> list[str]:
        return sorted({*await asyncio.to_thread(self.folders.names), *await self.store.names()})

    async def put(self, name: str, content: SuiteContent) -> Suite:
        """Create or replace a suite; the same content makes no new revision. Raises `SuiteRefused`."""
        await self._check(name, content)

        def revise(newest: Suite | None) -> Suite | None:
            last = newest.revision if newest else 0
            suite = Suite.model_validate({**content.model_dump(), "name": name, "revision": last + 1})
            return None if newest and suite.model_copy(update={"revision": last}) == newest else suite

        return await self.store.append(name, revise)

    async def put_table(
        self, name: str, task: str, content: bytes, format: Format, options: dict[str, object]
    ) -> Suite:
        """Add a table as a task to a new or known suite, or replace the task; raises `SuiteRefused`."""
        artifact = await asyncio.to_thread(self.files.put_bytes, content)
        added = {**options, "name": task, "data": {"artifact": artifact.model_dump(), "format": format}}
        known = await self.store.get(name) if re.fullmatch(NAME, name) else None
        others = [each for each in known.tasks if each.get("name") != task] if known else []
        description = known.description if known else ""
        return await self.put(name, SuiteContent(description=description, tasks=(*others, added)))

    async def plan(self, requested: str | None) -> SuitePlan | None:
        """The tasks of the suite that a job names, or of the default suite; None if there is neither."""
        name = requested or self.default
        if not name:
            return None
        try:
            suite = await self.get(name)
        except CannotBeScored as error:
            return _unusable(name, error.code, str(error))
        if suite is None:
            return _unusable(name, "unknown_suite", f"there is no suite {name!r}")
        return SuitePlan(name, await asyncio.to_thread(self._planned, suite))

    def _planned(self, suite: Suite) -> tuple[PlannedTask, ...]:
        return tuple(
            self._planned_task(suite, name, raw) for name, raw in zip(task_names(suite.tasks), suite.tasks, strict=True)
        )

    def _planned_task(self, suite: Suite, name: str, raw: dict[str, object]) -> PlannedTask:
        try:
            task = read_task(self.folders.harness(suite.name, raw) if "harness" in raw else raw)
            self.check_metrics(task.measured_by)
            complete = task.model_copy(
                update={"data": self._stored(suite, task.data), "examples": self._stored(suite, task.examples)}
            )
        except CannotBeScored as error:
            return PlannedTask(name, failure=Failure(code=error.code, message=str(error)))
        # Scores do not depend on the weight, so a changed weight must not change the artifact.
        content = complete.model_copy(update={"weight": 1.0}).model_dump_json().encode()
        return PlannedTask(name, task.weight, task.measured_by, self.files.put_bytes(content))

    def _stored(self, suite: Suite, table: Table | None) -> Table | None:
        if table is None or table.artifact is not None:
            return table
        if table.rows is not None:
            return Table(artifact=self.files.put_bytes(_to_jsonl(table.rows)), format="jsonl")
        assert table.file is not None
        content = self.folders.table(suite.name, table)
        return Table(artifact=self.files.put_bytes(content), format=table.format or _format(table.file))

    async def _check(self, name: str, content: SuiteContent) -> None:
        if not re.fullmatch(NAME, name):
            raise SuiteRefused(f"a suite's name has at most 20 lower-case letters, digits, - and _: not {name[:80]!r}")
        if name in await asyncio.to_thread(self.folders.names):
            raise SuiteRefused(f"{name} is a file in a folder of the server; it cannot be changed by HTTP")
        for place, raw in zip(task_names(content.tasks), content.tasks, strict=True):
            try:
                task: Task = read_task(raw)
                self.check_metrics(task.measured_by)
            except CannotBeScored as error:
                raise SuiteRefused(f"{place}: {error}") from None
            if task.name != place:
                raise SuiteRefused(f"two tasks are named {task.name}")
            if task.data.file is not None or (task.examples is not None and task.examples.file is not None):
                raise SuiteRefused(f"{place}: a suite put by HTTP cannot name files; send the rows or upload the table")


def _unusable(name: str, code: str, message: str) -> SuitePlan:
    return SuitePlan(name, (PlannedTask("suite", failure=Failure(code=code, message=message)),))


def _format(filename: str) -> Format:
    ending = filename.rpartition(".")[2].lower()
    for known in ("csv", "jsonl", "json", "xlsx"):
        if ending == known:
            return known
    raise CannotBeScored(
        "bad_table",
        f"the format of {filename!r} is unknown: name it with `format`, or use .csv, .jsonl, .json or .xlsx",
    )


def _to_jsonl(rows: Iterable[dict[str, object]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)
