"""One answer explained, by HTTP."""

from typing import Annotated, Any

from litestar import Request, Response, Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from services.evaluator.api.evaluations import evaluation_of
from services.evaluator.domain.nearness import NotExplained
from services.evaluator.service.explaining import Explaining, Explanation, NoSuchSample
from shared.web import allow, problem

AnyRequest = Request[Any, Any, Any]


@get("/{job_id:str}/{step:int}/samples/{place:int}/explanation")
async def explanation(
    request: AnyRequest,
    job_id: FromPath[str],
    step: FromPath[int],
    place: FromPath[int],
    explaining: NamedDependency[Explaining],
    task: Annotated[str, Parameter(max_length=64)] = "",
    rows: Annotated[int, Parameter(ge=1, le=20)] = 5,
) -> Explanation:
    """The sample at this place, from 1, how sure the model was, and the training rows nearest to it."""
    evaluation = await evaluation_of(explaining.evaluations, job_id, step, request.state.key)
    return await explaining.explain(evaluation, task, place, rows)


def _unknown(_request: AnyRequest, error: Exception) -> Response[Any]:
    return problem(404, "Not found", str(error))


def _not_explained(_request: AnyRequest, error: Exception) -> Response[Any]:
    return problem(422, "Not explained", str(error))


problems: dict[Any, Any] = {NoSuchSample: _unknown, NotExplained: _not_explained}
routes = Router("/v1/evaluations", route_handlers=[explanation], guards=[allow("train")], tags=["evaluations"])
