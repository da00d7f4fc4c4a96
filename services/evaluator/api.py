"""What evaluator answers by HTTP: each checkpoint's scores beside its base model's, and the answers themselves."""

from typing import Annotated, Any, Self

from litestar import Request, Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter
from pydantic import BaseModel

from services.evaluator.ports import Evaluation
from services.evaluator.service import Evaluations
from shared.events import Comparison, EvalDone, Failure, Interval
from shared.security import Key
from shared.web import NotFound, allow

AnyRequest = Request[Any, Any, Any]


class Figures(BaseModel):
    """One metric, for the checkpoint and for its base model, over `n` items, and whether it differs from others."""

    value: float
    base_value: float | None
    n: int
    interval: Interval | None
    base_interval: Interval | None
    against_base: Comparison | None
    production_value: float | None
    against_production: Comparison | None


class EvaluationView(BaseModel):
    """One checkpoint's evaluation. `evaluated_at` is in Unix seconds."""

    job_id: str
    step: int
    model: str
    base_model: str
    suite: str
    scores: dict[str, Figures]
    duration_s: float
    evaluated_at: int
    production: str | None
    item_errors: int
    base_item_errors: int
    error: Failure | None

    @classmethod
    def of(cls, evaluation: Evaluation) -> Self:
        done = evaluation.done
        return cls(
            job_id=evaluation.job_id,
            step=evaluation.step,
            model=done.candidate.model_name,
            base_model=done.candidate.base_model,
            suite=done.suite,
            scores={name: _figures(done, name) for name in done.scores},
            duration_s=done.duration_s,
            evaluated_at=int(evaluation.evaluated_at),
            production=done.production,
            item_errors=done.item_errors,
            base_item_errors=done.base_item_errors,
            error=done.error,
        )


def _figures(done: EvalDone, name: str) -> Figures:
    base, production = done.base_scores.get(name), done.production_scores.get(name)
    compared = {found.against: found for found in done.comparisons if found.metric == name}
    return Figures(
        value=done.scores[name].value,
        base_value=None if base is None else base.value,
        n=done.scores[name].n,
        interval=done.intervals.get(name),
        base_interval=done.base_intervals.get(name),
        against_base=compared.get("base"),
        production_value=None if production is None else production.value,
        against_production=compared.get("production"),
    )


@get("/")
async def of_job(
    request: AnyRequest,
    job_id: Annotated[str, Parameter(min_length=1)],
    evaluations: NamedDependency[Evaluations],
) -> list[EvaluationView]:
    """The evaluations of a job of this key, by step."""
    found = await evaluations.of_job(job_id)
    return [EvaluationView.of(evaluation) for evaluation in found if _owned(evaluation, request.state.key)]


@get("/{job_id:str}/{step:int}")
async def one(
    request: AnyRequest, job_id: FromPath[str], step: FromPath[int], evaluations: NamedDependency[Evaluations]
) -> EvaluationView:
    """One checkpoint's scores."""
    return EvaluationView.of(await _found(evaluations, job_id, step, request.state.key))


@get("/{job_id:str}/{step:int}/samples")
async def samples(
    request: AnyRequest,
    job_id: FromPath[str],
    step: FromPath[int],
    evaluations: NamedDependency[Evaluations],
    limit: Annotated[int, Parameter(ge=1, le=1000)] = 20,
) -> list[dict[str, Any]]:
    """The first questions with reference, both answers and their scores."""
    return await evaluations.samples(await _found(evaluations, job_id, step, request.state.key), limit)


def _owned(evaluation: Evaluation, key: Key) -> bool:
    return key.owns(evaluation.done.candidate.owner)


async def _found(evaluations: Evaluations, job_id: str, step: int, key: Key) -> Evaluation:
    evaluation = await evaluations.get(job_id, step)
    # What is another key's is as good as not there.
    if evaluation is None or not _owned(evaluation, key):
        raise NotFound(f"there is no evaluation of job {job_id!r} at step {step}")
    return evaluation


routes = Router("/v1/evaluations", route_handlers=[of_job, one, samples], guards=[allow("train")], tags=["evaluations"])
