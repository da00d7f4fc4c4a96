"""Explanations of answers by HTTP."""

from typing import Annotated, Any

from litestar import Request, Response, Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from services.evaluator.evaluation.api.evaluations import evaluation_of
from services.evaluator.evaluation.domain.training_row import NotExplained
from services.evaluator.evaluation.service.explanations import Explanation, Explanations, SampleNotFound
from shared.web import allow, problem

AnyRequest = Request[Any, Any, Any]


@get("/{job_id:str}/{step:int}/samples/{place:int}/explanation")
async def explanation(
    request: AnyRequest,
    job_id: FromPath[str],
    step: FromPath[int],
    place: FromPath[int],
    explanations: NamedDependency[Explanations],
    task: Annotated[str, Parameter(max_length=64)] = "",
    rows: Annotated[int, Parameter(ge=1, le=20)] = 5,
) -> Explanation:
    """The sample at this place, from 1, with the model's confidence and the nearest training rows."""
    evaluation = await evaluation_of(explanations.evaluations, job_id, step, request.state.key)
    return await explanations.explain(evaluation, task, place, rows)


def _not_found(_request: AnyRequest, error: Exception) -> Response[Any]:
    return problem(404, "Not found", str(error))


def _not_explained(_request: AnyRequest, error: Exception) -> Response[Any]:
    return problem(422, "Not explained", str(error))


problems: dict[Any, Any] = {SampleNotFound: _not_found, NotExplained: _not_explained}
routes = Router("/v1/evaluations", route_handlers=[explanation], guards=[allow("train")], tags=["evaluations"])
