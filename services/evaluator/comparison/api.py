"""Comparisons by HTTP: scores side by side, items, and both as a file."""

from typing import Annotated, Any, Literal

from litestar import Request, Response, Router, get
from litestar.di import NamedDependency, Provide
from litestar.params import Parameter

from services.evaluator.comparison.domain.item_difference import ItemDifference, ItemFilter
from services.evaluator.comparison.domain.side_by_side import SideBySide
from services.evaluator.comparison.service import (
    CheckpointNotFound,
    ComparisonRequest,
    Comparisons,
    NotComparable,
)
from shared.security import Key
from shared.web import allow, problem

AnyRequest = Request[Any, Any, Any]
Checkpoints = Annotated[list[str], Parameter(min_items=1, max_items=12, description="checkpoints, each <job>/<step>")]
Flag = Annotated[bool, Parameter()]
MEDIA_TYPES = {"csv": "text/csv", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}


@get("/")
async def side_by_side(
    comparisons: NamedDependency[Comparisons], compared: NamedDependency[ComparisonRequest]
) -> SideBySide:
    """Each metric of each model, by subject too, and each model's paired test against the first, or `against`."""
    return await comparisons.side_by_side(compared)


@get("/items")
async def items(
    comparisons: NamedDependency[Comparisons],
    compared: NamedDependency[ComparisonRequest],
    task: Annotated[str | None, Parameter(max_length=64)] = None,
    which: Annotated[ItemFilter, Parameter()] = "changed",
    limit: Annotated[int, Parameter(ge=1, le=1000)] = 100,
) -> list[ItemDifference]:
    """Prompt, reference, answers and scores of each item, and which models gained or lost against the first."""
    return (await comparisons.items(compared, task, which))[:limit]


@get("/export")
async def export(
    comparisons: NamedDependency[Comparisons],
    compared: NamedDependency[ComparisonRequest],
    format: Annotated[Literal["csv", "xlsx"], Parameter()] = "xlsx",
) -> Response[bytes]:
    """CSV holds the items; Excel holds scores, subjects and items."""
    content = await comparisons.export(compared, format)
    headers = {"content-disposition": f'attachment; filename="comparison.{format}"'}
    return Response(content, media_type=MEDIA_TYPES[format], headers=headers)


async def _comparison_request(
    request: AnyRequest,
    of: Checkpoints,
    base: Flag = True,
    production: Flag = False,
    against: Annotated[str, Parameter(max_length=200)] = "",
) -> ComparisonRequest:
    key: Key = request.state.key
    return ComparisonRequest(
        of, base, production, lambda evaluation: key.owns(evaluation.done.candidate.owner), against
    )


def _not_found(_request: AnyRequest, error: Exception) -> Response[Any]:
    return problem(404, "Not found", str(error))


def _not_comparable(_request: AnyRequest, error: Exception) -> Response[Any]:
    return problem(422, "Not comparable", str(error))


problems: dict[Any, Any] = {CheckpointNotFound: _not_found, NotComparable: _not_comparable}
routes = Router(
    "/v1/comparisons",
    route_handlers=[side_by_side, items, export],
    dependencies={"compared": Provide(_comparison_request)},
    guards=[allow("train")],
    tags=["comparisons"],
)
