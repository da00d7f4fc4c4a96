"""Comparisons by HTTP: the table, the items, and both as a file."""

from typing import Annotated, Any, Literal

from litestar import Request, Response, Router, get
from litestar.di import NamedDependency, Provide
from litestar.params import Parameter

from services.evaluator.domain.comparing import Change, Table
from services.evaluator.service.comparisons import Chosen, Comparisons, NoSuchCheckpoint, NotComparable, Which
from shared.security import Key
from shared.web import allow, problem

Of = Annotated[list[str], Parameter(min_items=1, max_items=12, description="checkpoints, each <job>/<step>")]
AnyRequest = Request[Any, Any, Any]
With = Annotated[bool, Parameter()]
TYPES = {"csv": "text/csv", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}


@get("/")
async def table(
    comparisons: NamedDependency[Comparisons],
    chosen: NamedDependency[Chosen],
) -> Table:
    """Each metric of each model, by subject too, and the paired test of each model against the first."""
    return await comparisons.table(chosen)


@get("/items")
async def items(
    comparisons: NamedDependency[Comparisons],
    chosen: NamedDependency[Chosen],
    task: Annotated[str | None, Parameter(max_length=64)] = None,
    which: Annotated[Which, Parameter()] = "changed",
    limit: Annotated[int, Parameter(ge=1, le=1000)] = 100,
) -> list[Change]:
    """Prompt, reference, each answer and each score; what a model gained or lost beside the first."""
    return (await comparisons.items(chosen, task, which))[:limit]


@get("/export")
async def export(
    comparisons: NamedDependency[Comparisons],
    chosen: NamedDependency[Chosen],
    format: Annotated[Literal["csv", "xlsx"], Parameter()] = "xlsx",
) -> Response[bytes]:
    """All of it as a file: CSV holds the items, Excel also the table."""
    content = await comparisons.export(chosen, format)
    headers = {"content-disposition": f'attachment; filename="comparison.{format}"'}
    return Response(content, media_type=TYPES[format], headers=headers)


async def _chosen(request: AnyRequest, of: Of, base: With = True, production: With = False) -> Chosen:
    key: Key = request.state.key
    return Chosen(of, base, production, lambda evaluation: key.owns(evaluation.done.candidate.owner))


def _unknown(_request: AnyRequest, error: Exception) -> Response[Any]:
    return problem(404, "Not found", str(error))


def _not_comparable(_request: AnyRequest, error: Exception) -> Response[Any]:
    return problem(422, "Not comparable", str(error))


problems: dict[Any, Any] = {NoSuchCheckpoint: _unknown, NotComparable: _not_comparable}
routes = Router(
    "/v1/comparisons",
    route_handlers=[table, items, export],
    dependencies={"chosen": Provide(_chosen)},
    guards=[allow("train")],
    tags=["comparisons"],
)
