"""Suites by HTTP: list, read, change and delete suites, and upload tables as tasks."""

from typing import Annotated, Any

from litestar import Request, Response, Router, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, Parameter

from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.suites.domain.suite import Suite, SuiteContent
from services.evaluator.suites.domain.suite_errors import SuiteNotFound, SuiteNotOwned, SuiteRefused, TooManySuites
from services.evaluator.suites.domain.task import Format
from services.evaluator.suites.service.suite_catalog import SuiteCatalog
from shared.web import allow, problem

AnyRequest = Request[Any, Any, Any]
Column = Annotated[str, Parameter(min_length=1, max_length=200)]


@get("/")
async def names(request: AnyRequest, suite_catalog: NamedDependency[SuiteCatalog]) -> list[str]:
    """The names of the suites that this key may read."""
    return await suite_catalog.names(request.state.key)


@get("/{name:str}")
async def one(request: AnyRequest, name: FromPath[str], suite_catalog: NamedDependency[SuiteCatalog]) -> Suite:
    """One suite, with author and time of each revision."""
    return await suite_catalog.get(name, request.state.key)


@put("/{name:str}")
async def put_suite(
    request: AnyRequest,
    name: FromPath[str],
    data: JSONBody[SuiteContent],
    suite_catalog: NamedDependency[SuiteCatalog],
) -> Suite:
    """Create or replace a suite; every task and its rows are checked first. The first author becomes the owner."""
    return await suite_catalog.put(name, data, request.state.key)


@delete("/{name:str}")
async def delete_suite(request: AnyRequest, name: FromPath[str], suite_catalog: NamedDependency[SuiteCatalog]) -> None:
    """Hide a suite from new jobs; jobs that use it keep their revision."""
    await suite_catalog.delete(name, request.state.key)


@put("/{name:str}/tasks/{task:str}/table")
async def put_table(
    request: AnyRequest,
    name: FromPath[str],
    task: FromPath[str],
    suite_catalog: NamedDependency[SuiteCatalog],
    format: Annotated[Format, Parameter()],
    question: Column = "question",
    answer: Column = "answer",
    metrics: Annotated[str, Parameter(max_length=400)] = "exact_match",
    prompt: Annotated[str, Parameter(min_length=1, max_length=20_000)] = "{{ question }}",
) -> Suite:
    """Make a task from the body, a table of questions and answers; `metrics` are names separated by commas."""
    options: dict[str, object] = {
        "columns": {"question": question, "answer": answer},
        "metrics": [each.strip() for each in metrics.split(",") if each.strip()],
        "prompt": prompt,
    }
    return await suite_catalog.put_table(name, task, await request.body(), format, options, request.state.key)


def _refused(_request: AnyRequest, error: Exception) -> Response[Any]:
    return problem(422, "Suite refused", str(error))


def _not_found(_request: AnyRequest, error: Exception) -> Response[Any]:
    return problem(404, "Not found", str(error))


def _not_owned(_request: AnyRequest, error: Exception) -> Response[Any]:
    return problem(403, "Not allowed", str(error))


problems: dict[Any, Any] = {
    TooManySuites: _not_owned,
    SuiteRefused: _refused,
    CannotBeScored: _refused,
    SuiteNotFound: _not_found,
    SuiteNotOwned: _not_owned,
}
routes = Router(
    "/v1/suites",
    route_handlers=[names, one, put_suite, put_table, delete_suite],
    guards=[allow("train")],
    tags=["suites"],
)
