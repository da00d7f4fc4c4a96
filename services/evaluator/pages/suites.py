"""The suites, and one of them with the rows of a task."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from services.evaluator.pages import PAGES
from services.evaluator.suites.domain.suite import Suite, task_names
from services.evaluator.suites.domain.table_edit import columns_of
from services.evaluator.suites.domain.task import Columns
from services.evaluator.suites.service.suite_catalog import SuiteCatalog
from services.evaluator.suites.service.suite_tables import SuiteTables, TaskTable
from shared.security import Key

AnyRequest = Request[Any, Any, Any]
PAGE_SIZE = 50
Task = Annotated[str, Parameter(max_length=64)]
Page = Annotated[int, Parameter(ge=1, le=100_000)]


@dataclass(frozen=True)
class RowsPage:
    """One page of a task's rows; `first` counts from 0."""

    table: TaskTable
    page: int

    @property
    def count(self) -> int:
        return len(self.table.rows)

    @property
    def pages(self) -> int:
        return max(1, -(-self.count // PAGE_SIZE))

    @property
    def first(self) -> int:
        return (self.page - 1) * PAGE_SIZE

    @property
    def rows(self) -> Sequence[Any]:
        return self.table.rows[self.first : self.first + PAGE_SIZE]

    @property
    def is_last(self) -> bool:
        return self.page == self.pages

    @property
    def columns(self) -> list[str]:
        return columns_of(self.rows, self.table.task.columns if self.table.task else Columns())


@get("/suites")
async def suites(
    request: AnyRequest, suite_catalog: NamedDependency[SuiteCatalog], suite_tables: NamedDependency[SuiteTables]
) -> Response[bytes]:
    """The suites that this person may read."""
    found = await suite_catalog.visible(request.state.key)
    counts = await suite_tables.question_counts(found)
    return PAGES.page(request, "suites.html.j2", at="evaluate", suites=found, counts=counts)


@get("/suites/{name:str}")
async def suite(
    request: AnyRequest,
    name: FromPath[str],
    suite_catalog: NamedDependency[SuiteCatalog],
    suite_tables: NamedDependency[SuiteTables],
    task: Task = "",
    page: Page = 1,
) -> Response[bytes]:
    """One suite, with the rows of one of its tasks."""
    return await suite_page(request, suite_catalog, suite_tables, name, task, page)


async def suite_page(
    request: AnyRequest, catalog: SuiteCatalog, tables: SuiteTables, name: str, task: str, page: int, problem: str = ""
) -> Response[bytes]:
    """The page of a suite; `problem` says why the last action failed."""
    found = await catalog.get(name, request.state.key)
    shown = await rows_page(found, tables, task, page)
    values: dict[str, Any] = {
        "suite": found,
        "tasks": task_names(found.tasks),
        "shown": shown,
        "own": may_change(found, request.state.key),
        "problem": problem,
    }
    return PAGES.page(request, "suite.html.j2", status=422 if problem else 200, at="evaluate", **values)


async def rows_page(found: Suite, tables: SuiteTables, task: str, page: int) -> RowsPage:
    """A page of a task's rows, of the first task by default; raises `SuiteNotFound`."""
    table = await tables.table(found, task or task_names(found.tasks)[0])
    pages = RowsPage(table, 1).pages
    return RowsPage(table, min(page, pages))


def may_change(found: Suite, key: Key) -> bool:
    """A suite in a folder of the server is changed there."""
    return not found.is_file and key.owns(found.owner)
