"""The tables of a suite's tasks: read as rows, and changed by people a page at a time."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from services.evaluator.scoring.domain.answer import to_jsonl
from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.scoring.ports import Files
from services.evaluator.suites.domain.suite import EVERYONE, Suite, SuiteContent, task_names
from services.evaluator.suites.domain.suite_errors import SuiteChanged, SuiteNotFound, SuiteRefused
from services.evaluator.suites.domain.table_edit import Row, TableEdit, edited
from services.evaluator.suites.domain.task import Format, Task, read_task
from services.evaluator.suites.ports import SuiteFiles
from services.evaluator.suites.service.suite_catalog import SuiteCatalog
from services.evaluator.suites.service.suite_plan import format_of
from shared.artifacts import ArtifactError
from shared.security import Key


@dataclass(frozen=True)
class TaskTable:
    """A task with its rows; `error` says why the task or its table cannot be read."""

    name: str
    task: Task | None
    rows: Sequence[Row] = ()
    error: str = ""


@dataclass(frozen=True)
class SuiteTables:
    """`read` parses a table."""

    catalog: SuiteCatalog
    folders: SuiteFiles
    files: Files
    read: Callable[[bytes, Format], list[dict[str, Any]]]
    _counts: dict[str, tuple[int, int | None]] = field(default_factory=dict[str, tuple[int, int | None]], repr=False)
    """Revision and number of questions by suite, because counting reads every table."""

    async def question_counts(self, suites: Sequence[Suite]) -> dict[str, int | None]:
        """The number of questions of each suite; None if a task's rows are not known here or cannot be read."""
        counts = await asyncio.gather(*(self._question_count(suite) for suite in suites))
        return {suite.name: count for suite, count in zip(suites, counts, strict=True)}

    async def _question_count(self, suite: Suite) -> int | None:
        revision, count = self._counts.get(suite.name, (0, None))
        if revision != suite.revision or not revision:
            count = await asyncio.to_thread(self._count, suite)
            self._counts[suite.name] = suite.revision, count
        return count

    def _count(self, suite: Suite) -> int | None:
        tables = [self._table(suite, *named) for named in zip(task_names(suite.tasks), suite.tasks, strict=True)]
        counted = all(each.task and not each.task.lm_eval and not each.error for each in tables)
        return sum(len(each.rows) for each in tables) if counted else None

    async def table(self, suite: Suite, name: str) -> TaskTable:
        """One task of the suite; raises `SuiteNotFound`."""
        raw = dict(zip(task_names(suite.tasks), suite.tasks, strict=True)).get(name)
        if raw is None:
            raise SuiteNotFound(f"the suite {suite.name!r} has no task {name!r}")
        return await asyncio.to_thread(self._table, suite, name, raw)

    async def save(
        self, name: str, task: str, edit: TableEdit, options: Mapping[str, Any], revision: int, author: Key
    ) -> Suite:
        """Save a page of rows and the task's options as the next revision.

        Raises `SuiteChanged`, `SuiteRefused`, `SuiteNotFound` and `SuiteNotOwned`.
        """
        suite = await self.catalog.get(name, author)
        suite.require_unchanged(revision)
        known = await self.table(suite, task)
        content = to_jsonl(edited(known.rows, edit))
        artifact = await asyncio.to_thread(self.files.put_bytes, content)
        data = {"artifact": artifact.model_dump(), "format": "jsonl"}
        tasks = tuple(
            {**raw, **options, "data": data} if each == task else raw
            for each, raw in zip(task_names(suite.tasks), suite.tasks, strict=True)
        )
        return await self.catalog.put(name, suite.content.model_copy(update={"tasks": tasks}), author, revision)

    async def describe(self, name: str, description: str, everyone: bool, author: Key) -> Suite:
        """Change what the suite is for, and whether everybody may use it; raises like `remove_task`."""

        def described(suite: Suite) -> SuiteContent:
            others = tuple(each for each in suite.readers if each != EVERYONE)
            readers = (*others, EVERYONE) if everyone else others
            return suite.content.model_copy(update={"description": description, "readers": readers})

        return await self._change(name, described, author)

    async def remove_task(self, name: str, task: str, author: Key) -> Suite:
        """Remove a task; raises `SuiteRefused`, also for the only task, `SuiteNotFound` and `SuiteNotOwned`."""

        def without(suite: Suite) -> SuiteContent:
            named = zip(task_names(suite.tasks), suite.tasks, strict=True)
            others = tuple(raw for each, raw in named if each != task)
            if not others:
                raise SuiteRefused(f"{task!r} is the only task of {name!r}: delete the suite instead")
            return suite.content.model_copy(update={"tasks": others})

        return await self._change(name, without, author)

    async def _change(self, name: str, decide: Callable[[Suite], SuiteContent], author: Key) -> Suite:
        """Save what `decide` makes of the newest revision; it is called again if somebody else was faster."""
        while True:
            suite = await self.catalog.get(name, author)
            with suppress(SuiteChanged):
                return await self.catalog.put(name, decide(suite), author, suite.revision)

    def _table(self, suite: Suite, name: str, raw: dict[str, Any]) -> TaskTable:
        task: Task | None = None
        try:
            task = read_task(self.folders.harness(suite.name, raw) if "harness" in raw else raw)
            return TaskTable(name, task, self._rows(suite, task))
        except (CannotBeScored, ArtifactError) as error:
            return TaskTable(name, task, error=str(error))

    def _rows(self, suite: Suite, task: Task) -> Sequence[Row]:
        table = task.data
        if task.lm_eval is not None or table.rows is not None:
            return table.rows or ()
        if table.artifact is not None and table.format is not None:
            return self.read(self.files.read(table.artifact), table.format)
        assert table.file is not None, "a table has exactly one source"
        return self.read(self.folders.table(suite.name, table), table.format or format_of(table.file))
