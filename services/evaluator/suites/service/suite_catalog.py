"""The suites: those in folders of the server, and those put by HTTP, with owners and readers."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.scoring.ports import Files
from services.evaluator.suites.domain.storable_json import require_storable
from services.evaluator.suites.domain.suite import (
    MAX_REVISIONS,
    FolderSuite,
    Suite,
    SuiteContent,
    SuitePins,
    task_names,
)
from services.evaluator.suites.domain.suite_errors import (
    SuiteChanged,
    SuiteNotFound,
    SuiteNotOwned,
    SuiteRefused,
    TooManySuites,
)
from services.evaluator.suites.domain.task import NAME, Format, Task, read_task
from services.evaluator.suites.ports import SuiteFiles, TaskCheck
from services.evaluator.suites.service.suite_plan import Planner, SuitePlan
from shared.security import Key
from shared.store import Collection, Decision


@dataclass(frozen=True)
class SuiteCatalog:
    """`now` returns Unix seconds."""

    store: Collection[Suite]
    pins: Collection[SuitePins]
    published: Collection[FolderSuite]
    folders: SuiteFiles
    files: Files
    task_check: TaskCheck
    default: str = ""
    max_suites: int = 500
    """Of a person, unless the key has a limit of its own."""
    now: Callable[[], float] = time.time

    async def get(self, name: str, key: Key) -> Suite:
        """A suite that the key may read; raises `SuiteNotFound`, or `CannotBeScored` if its file is not a suite."""
        suite = await self._find(name)
        if suite is None or suite.deleted or not _readable(suite, key):
            raise SuiteNotFound(f"there is no suite {name!r}")
        return suite

    async def names(self, key: Key) -> list[str]:
        """The suites that the key may read."""
        stored = [suite.name for suite in await self.store.find(deleted=False) if _readable(suite, key)]
        return sorted({*await asyncio.to_thread(self.folders.names), *stored})

    async def visible(self, key: Key) -> list[Suite]:
        """Every suite that the key may read, by name; one of a folder whose file is not a suite has no tasks."""
        stored = [suite for suite in await self.store.find(deleted=False) if _readable(suite, key)]
        folders = await asyncio.to_thread(lambda: [self._of_folder(name) for name in self.folders.names()])
        found = await self.published.find(id__in=[suite.name for suite in folders])
        published = {each.id: each.number for each in found}
        files = [suite.model_copy(update={"number": published.get(suite.name, 0)}) for suite in folders]
        return sorted({suite.name: suite for suite in (*stored, *files)}.values(), key=lambda suite: suite.name)

    async def put(self, name: str, content: SuiteContent, author: Key, based_on: int | None = None) -> Suite:
        """Create or replace a suite; the same content makes no new revision.

        Raises `SuiteRefused`, `TooManySuites` and `SuiteNotOwned`, and `SuiteChanged` if the revision `based_on`, from
        which the content was made, is no longer the newest; 0 stands for no suite.
        """
        known = await self._require_free_or_owned(name, author)
        if known is None or known.deleted:
            await self._require_room(author)
        await self._check(name, content)
        artifact = await asyncio.to_thread(self.files.put_bytes, content.model_dump_json().encode())
        empty = Suite(name=name, owner=author.person, **content.__dict__)
        first = empty.revised(content, artifact, author.person, self.now())

        def revise(suite: Suite) -> Decision[Suite] | None:
            _require_owner(suite, author)
            if suite.content == content and not suite.deleted:
                return None
            if based_on is not None:
                suite.require_unchanged(based_on)
            if len(suite.revisions) >= MAX_REVISIONS:
                raise SuiteRefused(
                    f"{name} has {MAX_REVISIONS} revisions, the most allowed; save the next one under another name"
                )
            revised = suite.revised(content, artifact, author.person, self.now())
            return revised, [revised.published()]

        if await self.store.create(first, [first.published()]):
            return first
        changed = await self.store.change(name, revise)
        assert changed is not None, "suites are hidden, not removed"
        return changed

    async def put_table(
        self, name: str, task: str, content: bytes, format: Format, options: dict[str, object], author: Key
    ) -> Suite:
        """Add a table as a task to a new or known suite, or replace the task; raises like `put`."""
        await self._require_free_or_owned(name, author)
        artifact = await asyncio.to_thread(self.files.put_bytes, content)
        added = {**options, "name": task, "data": {"artifact": artifact.model_dump(), "format": format}}
        return await self.add_task(name, added, author)

    async def add_task(self, name: str, added: Mapping[str, object], author: Key, description: str = "") -> Suite:
        """Add a task to a new or known suite, or replace the one of its name; raises like `put`."""
        while True:
            known, task = await self._require_free_or_owned(name, author), dict(added)
            if known is None or known.deleted:
                content, based_on = SuiteContent(description=description, tasks=(task,)), 0
            else:
                others = [each for each in known.tasks if each.get("name") != task["name"]]
                content, based_on = known.content.model_copy(update={"tasks": (*others, task)}), known.revision
            with suppress(SuiteChanged):
                return await self.put(name, content, author, based_on)

    async def delete(self, name: str, author: Key) -> None:
        """Hide a suite from new jobs; raises `SuiteNotFound` and `SuiteNotOwned`."""
        suite = await self.get(name, author)
        if suite.is_file:
            raise SuiteRefused(f"{name} is a file in a folder of the server; it cannot be deleted by HTTP")

        def hide(known: Suite) -> Decision[Suite] | None:
            _require_owner(known, author)
            if known.deleted:
                return None
            return known.model_copy(update={"deleted": True}), [known.deletion(author.person, self.now())]

        await self.store.change(name, hide)

    async def plans(self, job_id: str, requested: str | None, owner: str) -> list[SuitePlan]:
        """The tasks of the suites that a job names, separated by commas, or of the default suite.

        A job keeps the revisions that its suites had at its first checkpoint. `<name>@<revision>` names another one.
        """
        named = [name.strip() for name in (requested or self.default).split(",")]
        names = list(dict.fromkeys(name for name in named if name))
        if not names:
            return []
        pins = await self.pins.get(job_id)
        if pins is None:
            revisions = {name: suite.revision for name in names if (suite := await self._usable(name, owner))}
            await self.pins.create(SuitePins(id=job_id, revisions=revisions))
            pins = await self.pins.get(job_id)
            assert pins is not None, "pins are never removed"
        return [await self._plan(name, owner, pins.revisions.get(name)) for name in names]

    async def _require_free_or_owned(self, name: str, author: Key) -> Suite | None:
        """The stored suite of that name, if there is one; raises `SuiteNotOwned`."""
        known = await self.store.get(name) if re.fullmatch(NAME, name) else None
        if known is not None:
            _require_owner(known, author)
        return known

    async def _require_room(self, author: Key) -> None:
        limit = self.max_suites if author.max_suites is None else author.max_suites
        found = len(await self.store.find(owner=author.person, deleted=False))
        if found >= limit:
            raise TooManySuites(
                f"You have {found} suites, and this API key allows {limit}. Delete suites or add tasks to one, or ask "
                "an administrator to raise 'max_suites'."
            )

    async def _find(self, name: str) -> Suite | None:
        if not re.fullmatch(NAME, name):
            return None
        suite = await asyncio.to_thread(self.folders.get, name)
        if suite is None:
            return await self.store.get(name)
        published = await self.published.get(name)
        return suite.model_copy(update={"number": published.number}) if published else suite

    def _of_folder(self, name: str) -> Suite:
        try:
            suite = self.folders.get(name)
        except CannotBeScored as error:
            return Suite.model_construct(name=name, description=str(error), tasks=(), source="folder")
        assert suite is not None, "the folder has a file of that name"
        return suite

    async def _usable(self, name: str, owner: str) -> Suite | None:
        try:
            suite = await self._find(name)
        except CannotBeScored:
            return None
        return suite if suite and not suite.deleted and suite.readable_by(owner) else None

    async def _plan(self, requested: str, owner: str, pinned: int | None) -> SuitePlan:
        name, _, number = requested.partition("@")
        revision = int(number) if number.isdecimal() else pinned
        try:
            suite = await self._find(name)
            if suite is None or not suite.readable_by(owner) or (suite.deleted and revision is None):
                return SuitePlan.failed(name, "unknown_suite", f"there is no suite {requested!r}")
            if suite.is_file and not number:
                # Earlier contents of a file are not kept.
                revision = None
            suite = await asyncio.to_thread(self._at, suite, suite.revision if revision is None else revision)
        except CannotBeScored as error:
            return SuitePlan.failed(name, error.code, str(error))
        return await asyncio.to_thread(Planner(self.folders, self.files, self.task_check).plan, suite)

    def _at(self, suite: Suite, revision: int) -> Suite:
        if suite.revision == revision:
            return suite
        artifact = suite.artifact_of(revision)
        if artifact is None:
            raise CannotBeScored("unknown_suite", f"the suite {suite.name!r} has no revision {revision}")
        content = SuiteContent.model_validate_json(self.files.read(artifact))
        return suite.model_copy(update={**content.__dict__, "number": revision})

    async def _check(self, name: str, content: SuiteContent) -> None:
        if not re.fullmatch(NAME, name):
            raise SuiteRefused(
                f"a suite's name must be 1 to 20 lower-case letters, digits, '-' and '_', not {name[:80]!r}"
            )
        if name in await asyncio.to_thread(self.folders.names):
            raise SuiteRefused(f"{name} is a file in a folder of the server; it cannot be changed by HTTP")
        for task_name, raw in zip(task_names(content.tasks), content.tasks, strict=True):
            try:
                require_storable(raw)
                task = read_task(raw)
                _require_own_tables(task)
                await self.task_check.check(task)
            except (CannotBeScored, SuiteRefused) as error:
                raise SuiteRefused(f"{task_name}: {error}") from None
            if task.name != task_name:
                raise SuiteRefused(f"two tasks are named {task.name}; rename one")


def _require_own_tables(task: Task) -> None:
    if task.data.file is not None or (task.examples is not None and task.examples.file is not None):
        raise SuiteRefused("a suite put by HTTP cannot name files; send the rows or upload the table")


def _readable(suite: Suite, key: Key) -> bool:
    return key.owns(suite.owner) or any(map(suite.readable_by, (key.id, key.person)))


def _require_owner(suite: Suite, key: Key) -> None:
    if not key.owns(suite.owner):
        raise SuiteNotOwned(f"the suite {suite.name!r} belongs to another key; choose another name")
