"""Suites by HTTP: what there is, a suite as JSON, and a table that becomes a task of one."""

from typing import Annotated, Any

from litestar import Request, Response, Router, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, Parameter

from services.evaluator.domain.suite import CannotBeScored
from services.evaluator.domain.tasks import Format, Suite, SuiteContent
from services.evaluator.service.suitebook import Suitebook, SuiteRefused
from shared.web import NotFound, allow, problem

Column = Annotated[str, Parameter(min_length=1, max_length=200)]


@get("/")
async def names(suitebook: NamedDependency[Suitebook]) -> list[str]:
    """The names of all suites."""
    return await suitebook.names()


@get("/{name:str}")
async def one(name: FromPath[str], suitebook: NamedDependency[Suitebook]) -> Suite:
    """One suite, as it was written."""
    found = await suitebook.get(name)
    if found is None:
        raise NotFound(f"there is no suite {name!r}")
    return found


@put("/{name:str}")
async def put_suite(name: FromPath[str], data: JSONBody[SuiteContent], suitebook: NamedDependency[Suitebook]) -> Suite:
    """Make this the suite of that name; every task is checked first."""
    return await suitebook.put(name, data)


@put("/{name:str}/tasks/{task:str}/table")
async def put_table(
    request: Request[Any, Any, Any],
    name: FromPath[str],
    task: FromPath[str],
    suitebook: NamedDependency[Suitebook],
    format: Annotated[Format, Parameter()],
    question: Column = "question",
    answer: Column = "answer",
    metrics: Annotated[str, Parameter(max_length=400)] = "exact_match",
    prompt: Annotated[str, Parameter(min_length=1, max_length=20_000)] = "{{ question }}",
) -> Suite:
    """Make the body, a table of questions and answers, a task; `metrics` are names joined by commas."""
    options: dict[str, object] = {
        "columns": {"question": question, "answer": answer},
        "metrics": [each.strip() for each in metrics.split(",") if each.strip()],
        "prompt": prompt,
    }
    return await suitebook.put_table(name, task, await request.body(), format, options)


def _refused(_request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    return problem(422, "Suite refused", str(error))


problems: dict[Any, Any] = {SuiteRefused: _refused, CannotBeScored: _refused}
routes = Router(
    "/v1/suites", route_handlers=[names, one, put_suite, put_table], guards=[allow("train")], tags=["suites"]
)
