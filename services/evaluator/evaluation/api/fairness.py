"""The groups of a fairness task compared, by HTTP."""

from typing import Annotated, Any

from litestar import Request, Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter
from pydantic import BaseModel

from services.evaluator.evaluation.api.evaluations import evaluation_of
from services.evaluator.evaluation.service.evaluations import Evaluations
from services.evaluator.scoring.domain.fairness import GroupDifference, by_question, group_differences
from shared.web import NotFound, allow


class FairnessView(BaseModel):
    """`differences` are of every two groups on the questions that both were asked."""

    task: str
    metric: str
    questions: int
    differences: tuple[GroupDifference, ...]


@get("/{job_id:str}/{step:int}/fairness")
async def fairness(
    request: Request[Any, Any, Any],
    job_id: FromPath[str],
    step: FromPath[int],
    evaluations: NamedDependency[Evaluations],
    task: Annotated[str, Parameter(max_length=64)],
    metric: Annotated[str, Parameter(max_length=64)] = "exact_match",
) -> FairnessView:
    """The paired test of every two groups of a task with `fairness`."""
    found = await evaluations.samples(await evaluation_of(evaluations, job_id, step, request.state.key), None, task)
    rows = [row for row in found or [] if row.get("pair") and metric in row["scores"]]
    if not rows:
        raise NotFound(f"that evaluation has no task {task!r} with fairness and the metric {metric!r}")
    asked = by_question(
        [row["pair"] for row in rows], [row["subject"] for row in rows], [row["scores"][metric] for row in rows]
    )
    return FairnessView(task=task, metric=metric, questions=len(asked), differences=group_differences(asked))


problems: dict[Any, Any] = {}
routes = Router("/v1/evaluations", route_handlers=[fairness], guards=[allow("train")], tags=["evaluations"])
