"""Two people change one suite at the same time: no change is lost, and a page that became old is refused."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from services.evaluator.suites.adapters.tables import read_table
from services.evaluator.suites.domain.suite import EVERYONE, SuiteContent
from services.evaluator.suites.domain.suite_errors import SuiteChanged
from services.evaluator.suites.domain.table_edit import TableEdit
from services.evaluator.suites.domain.task import Task
from services.evaluator.suites.ports import TaskCheck
from services.evaluator.suites.service.suite_catalog import SuiteCatalog
from services.evaluator.suites.service.suite_tables import SuiteTables
from shared.artifacts import Artifacts
from shared.store import MemoryStore
from tests.evaluator import AUTHOR, suite_catalog

ROWS = [{"question": "q1", "answer": "a"}, {"question": "q2", "answer": "b"}]
Change = Callable[[], Awaitable[object]]


def task(name: str) -> dict[str, Any]:
    return {"name": name, "metrics": ["exact_match"], "data": {"rows": ROWS}}


@dataclass
class Interrupted:
    """Checks tasks; before the first one it lets another change happen, completely."""

    checks: TaskCheck
    other: Change | None

    async def check(self, task: Task) -> None:
        other, self.other = self.other, None
        if other is not None:
            await other()
        await self.checks.check(task)

    def check_metrics(self, task: Task) -> None:
        self.checks.check_metrics(task)


@pytest.fixture
async def catalog(tmp_path: Path) -> SuiteCatalog:
    """With the suite `shop` of the tasks `first` and `second`."""
    made = suite_catalog(MemoryStore("evaluator"), Artifacts(str(tmp_path / "artifacts")))
    await made.put("shop", SuiteContent(tasks=(task("first"), task("second"))), AUTHOR)
    return made


def interrupted(catalog: SuiteCatalog, other: Change) -> SuiteCatalog:
    """The catalog of another process, in whose first change `other` comes between reading and writing."""
    return replace(catalog, task_check=Interrupted(catalog.task_check, other))


def tables(catalog: SuiteCatalog) -> SuiteTables:
    return SuiteTables(catalog, catalog.folders, catalog.files, read_table)


def page(first: int, text: str) -> TableEdit:
    """One row of a table, with another question."""
    return TableEdit(first, 1, [{"question": text, "answer": "a"}])


async def names(catalog: SuiteCatalog) -> list[str]:
    return [each["name"] for each in (await catalog.get("shop", AUTHOR)).tasks]


async def questions(catalog: SuiteCatalog) -> list[str]:
    suite = await catalog.get("shop", AUTHOR)
    return [row["question"] for row in (await tables(catalog).table(suite, "first")).rows]


async def test_a_page_that_was_opened_before_another_save_is_refused_though_both_are_saved_at_once(catalog) -> None:
    at_once = interrupted(catalog, lambda: tables(catalog).save("shop", "first", page(0, "other"), {}, 1, AUTHOR))
    with pytest.raises(SuiteChanged, match="revision 2 was saved after you opened"):
        await tables(at_once).save("shop", "first", page(1, "mine"), {}, 1, AUTHOR)
    assert await questions(catalog) == ["other", "q2"]


async def test_a_page_of_a_suite_that_is_deleted_meanwhile_does_not_bring_it_back(catalog) -> None:
    at_once = interrupted(catalog, lambda: catalog.delete("shop", AUTHOR))
    with pytest.raises(SuiteChanged, match="deleted"):
        await tables(at_once).save("shop", "first", page(1, "mine"), {}, 1, AUTHOR)
    assert "shop" not in await catalog.names(AUTHOR)


async def test_tasks_that_are_added_at_once_are_both_added(catalog) -> None:
    at_once = interrupted(catalog, lambda: catalog.add_task("shop", task("other"), AUTHOR))
    await at_once.add_task("shop", task("mine"), AUTHOR)
    assert await names(catalog) == ["first", "second", "other", "mine"]


async def test_tables_that_make_one_new_suite_at_once_are_both_in_it(catalog) -> None:
    async def put(into: SuiteCatalog, name: str) -> None:
        await into.put_table("new", name, b"question,answer\nq,a\n", "csv", {"metrics": ["exact_match"]}, AUTHOR)

    await put(interrupted(catalog, lambda: put(catalog, "other")), "mine")
    assert [each["name"] for each in (await catalog.get("new", AUTHOR)).tasks] == ["other", "mine"]


async def test_a_task_is_removed_from_what_was_saved_last(catalog) -> None:
    at_once = interrupted(catalog, lambda: catalog.add_task("shop", task("other"), AUTHOR))
    await tables(at_once).remove_task("shop", "first", AUTHOR)
    assert await names(catalog) == ["second", "other"]


async def test_a_description_leaves_tasks_and_readers_that_were_saved_meanwhile(catalog) -> None:
    content = SuiteContent(tasks=(task("other"),), readers=("key_reader",))
    at_once = interrupted(catalog, lambda: catalog.put("shop", content, AUTHOR))
    await tables(at_once).describe("shop", "of the shop", True, AUTHOR)
    suite = await catalog.get("shop", AUTHOR)
    assert (suite.description, suite.readers) == ("of the shop", ("key_reader", EVERYONE))
    assert await names(catalog) == ["other"]
