"""Suites made and changed in the page: a table of questions typed or uploaded, the description, deletion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

from litestar import Request, Response, get, post
from litestar.datastructures import FormMultiDict, UploadFile
from litestar.di import NamedDependency
from litestar.exceptions import ClientException
from litestar.params import FromPath, Parameter
from litestar.response import Redirect

from services.evaluator.pages import PAGES
from services.evaluator.pages.suites import Page, RowsPage, Task, rows_page, suite_page
from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.suites.domain.suite_errors import SuiteChanged, SuiteNotOwned, SuiteRefused
from services.evaluator.suites.domain.table_edit import TableEdit, cell_text
from services.evaluator.suites.service.suite_catalog import SuiteCatalog
from services.evaluator.suites.service.suite_plan import format_of
from services.evaluator.suites.service.suite_tables import SuiteTables
from shared.security import Key
from shared.whole_number import whole_number

AnyRequest = Request[Any, Any, Any]
NEW_ROWS = 5
_REFUSALS = (SuiteRefused, SuiteNotOwned, SuiteChanged, CannotBeScored)
_NOT_READ = "write the weight as a number above 0, such as 1 or 2.5"


@dataclass(frozen=True)
class TypedTask:
    """What a form says of a task, as it was typed."""

    name: str
    task: str
    description: str
    metrics: str
    weight: str
    columns: Sequence[str]
    rows: Sequence[Mapping[str, str]]

    @classmethod
    def of(cls, form: FormMultiDict) -> "TypedTask":
        """The task of a form; raises `ClientException` where its rows do not have a cell for each column."""
        columns = [str(each) for each in form.getall("column", [])] or ["question", "answer"]
        cells = [[str(cell) for cell in form.getall(f"cell-{place}", [])] for place in range(len(columns))]
        if len({len(column) for column in cells}) > 1:
            raise ClientException("each row must have a cell for each column")
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*cells, strict=True)]
        texts = {name: str(form.get(name, "")).strip() for name in ("name", "task", "description", "metrics", "weight")}
        return cls(**texts, columns=columns, rows=rows)

    @property
    def options(self) -> dict[str, Any]:
        """The task's options; raises `SuiteRefused` for a weight that is not a number."""
        try:
            weight = float(self.weight or 1)
        except ValueError:
            raise SuiteRefused(_NOT_READ) from None
        metrics = [each.strip() for each in self.metrics.split(",") if each.strip()]
        return {"metrics": metrics, "weight": weight}


@get("/suites/new")
async def new_suite(request: AnyRequest, suite: Annotated[str, Parameter(max_length=64)] = "") -> Response[bytes]:
    """The form of a new task, in a new suite or in a known one."""
    return _new_form(request, TypedTask(suite, "", "", "exact_match", "1", ("question", "answer"), ()), suite)


@post("/suites/new", status_code=303)
async def create_suite(request: AnyRequest, suite_catalog: NamedDependency[SuiteCatalog]) -> Response[Any]:
    """Make a task from the uploaded table, or from the rows that were typed."""
    form = await request.form()
    typed = TypedTask.of(form)
    file = form.get("file")
    try:
        if isinstance(file, UploadFile) and file.filename:
            await _create_from_file(suite_catalog, typed, file, request.state.key)
        else:
            await _create_from_rows(suite_catalog, typed, request.state.key)
    except _REFUSALS as error:
        return _new_form(request, typed, str(form.get("known", "")), problem=str(error), status=422)
    return _to(typed.name, typed.task)


@get("/suites/{name:str}/edit")
async def edit_suite(
    request: AnyRequest,
    name: FromPath[str],
    suite_catalog: NamedDependency[SuiteCatalog],
    suite_tables: NamedDependency[SuiteTables],
    task: Task = "",
    page: Page = 1,
) -> Response[bytes]:
    """A page of a task's rows as a table to type into."""
    found = await suite_catalog.get(name, request.state.key)
    shown = await rows_page(found, suite_tables, task, page)
    return _edit_form(request, shown, _typed(name, found.description, shown), found.revision)


@post("/suites/{name:str}/edit", status_code=303)
async def save_suite(
    request: AnyRequest,
    name: FromPath[str],
    suite_catalog: NamedDependency[SuiteCatalog],
    suite_tables: NamedDependency[SuiteTables],
    task: Task = "",
    page: Page = 1,
) -> Response[Any]:
    """Save the page of rows as the next revision; what is refused stays typed."""
    form = await request.form()
    typed = TypedTask.of(form)
    revision = whole_number(str(form.get("revision", ""))) or 0
    found = await suite_catalog.get(name, request.state.key)
    shown = await rows_page(found, suite_tables, task, page)
    edit = TableEdit(shown.first, len(shown.rows), typed.rows)
    try:
        await suite_tables.save(name, shown.table.name, edit, typed.options, revision, request.state.key)
    except _REFUSALS as error:
        return _edit_form(request, shown, typed, revision, problem=str(error), status=422)
    return _to(name, shown.table.name, shown.page)


@post("/suites/{name:str}/about", status_code=303)
async def describe_suite(
    request: AnyRequest,
    name: FromPath[str],
    suite_catalog: NamedDependency[SuiteCatalog],
    suite_tables: NamedDependency[SuiteTables],
) -> Response[Any]:
    """Change the description, and whether everybody may use the suite."""
    form, key = await request.form(), request.state.key
    try:
        await suite_tables.describe(name, str(form.get("description", ""))[:4000], bool(form.get("everyone")), key)
    except _REFUSALS as error:
        return await suite_page(request, suite_catalog, suite_tables, name, "", 1, str(error))
    return _to(name)


@post("/suites/{name:str}/delete", status_code=303)
async def delete_suite(
    request: AnyRequest,
    name: FromPath[str],
    suite_catalog: NamedDependency[SuiteCatalog],
    suite_tables: NamedDependency[SuiteTables],
    task: Task = "",
) -> Response[Any]:
    """Hide the suite from new jobs, or remove one task of it."""
    try:
        if task:
            await suite_tables.remove_task(name, task, request.state.key)
            return _to(name)
        await suite_catalog.delete(name, request.state.key)
    except _REFUSALS as error:
        return await suite_page(request, suite_catalog, suite_tables, name, task, 1, str(error))
    return Redirect("/console/evaluator/suites", status_code=303)


async def _create_from_file(catalog: SuiteCatalog, typed: TypedTask, file: UploadFile, author: Key) -> None:
    await catalog.put_table(
        typed.name, typed.task, await file.read(), format_of(file.filename.lower()), typed.options, author
    )


async def _create_from_rows(catalog: SuiteCatalog, typed: TypedTask, author: Key) -> None:
    rows = [{name: text for name, text in row.items() if text.strip()} for row in typed.rows]
    added = {**typed.options, "name": typed.task, "data": {"rows": [row for row in rows if row]}}
    await catalog.add_task(typed.name, added, author, description=typed.description)


def _typed(name: str, description: str, shown: RowsPage) -> TypedTask:
    """The stored rows as text, with empty rows to type into at the end of the table."""
    columns = shown.columns
    rows = [{column: cell_text(row.get(column)) for column in columns} for row in shown.rows]
    rows += [dict.fromkeys(columns, "")] * (NEW_ROWS if shown.is_last else 0)
    task = shown.table.task
    metrics, weight = (", ".join(task.measured_by), f"{task.weight:g}") if task else ("", "1")
    return TypedTask(name, shown.table.name, description, metrics, weight, columns, rows)


def _new_form(request: AnyRequest, typed: TypedTask, known: str, *, problem: str = "", status: int = 200) -> Any:
    rows = [*typed.rows, *[dict.fromkeys(typed.columns, "")] * (NEW_ROWS - len(typed.rows))]
    values: dict[str, Any] = {"typed": typed, "rows": rows, "known": known, "problem": problem}
    return PAGES.page(request, "suite_new.html.j2", status=status, at="evaluate", **values)


def _edit_form(
    request: AnyRequest, shown: RowsPage, typed: TypedTask, revision: int, *, problem: str = "", status: int = 200
) -> Any:
    values: dict[str, Any] = {"typed": typed, "shown": shown, "revision": revision, "problem": problem}
    return PAGES.page(request, "suite_edit.html.j2", status=status, at="evaluate", **values)


def _to(name: str, task: str = "", page: int = 1) -> Redirect:
    place = f"?task={quote(task)}&page={page}" if task else ""
    return Redirect(f"/console/evaluator/suites/{quote(name)}{place}", status_code=303)
