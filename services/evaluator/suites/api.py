"""Suites by HTTP: list, read and change suites, and upload tables as tasks."""

from typing import Annotated, Any

from litestar import Request, Response, Router, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, Parameter

from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.suites.domain.suite import Suite, SuiteContent
from services.evaluator.suites.domain.task import Format
from services.evaluator.suites.service.suite_catalog import SuiteCatalog, SuiteRefused
from shared.web import NotFound, allow, problem

Column = Annotated[str, Parameter(min_length=1, max_length=200)]


@get("/")
async def names(suite_catalog: NamedDependency[SuiteCatalog]) -> list[str]:
    """The names of all suites."""
    return await suite_catalog.names()


@get("/{name:str}")
async def one(name: FromPath[str], suite_catalog: NamedDependency[SuiteCatalog]) -> Suite:
    """One suite."""
    found = await suite_catalog.get(name)
    if found is None:
        raise NotFound(f"there is no suite {name!r}")
    return found


@put("/{name:str}")
async def put_suite(
    name: FromPath[str], data: JSONBody[SuiteContent], suite_catalog: NamedDependency[SuiteCatalog]
) -> Suite:
    """Create or replace a suite. Every task is checked first."""
    return await suite_catalog.put(name, data)


@put("/{name:str}/tasks/{task:str}/table")
async def put_table(
    request: Request[Any, Any, Any],
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
    return await suite_catalog.put_table(name, task, await request.body(), format, options)


def _refused(_request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    return problem(422, "Suite refused", str(error))


problems: dict[Any, Any] = {SuiteRefused: _refused, CannotBeScored: _refused}
routes = Router(
    "/v1/suites", route_handlers=[names, one, put_suite, put_table], guards=[allow("train")], tags=["suites"]
)
