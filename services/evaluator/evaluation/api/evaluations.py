"""Evaluations by HTTP: each checkpoint's scores beside its base model's, samples, progress and confusion matrix."""

from typing import Annotated, Any, Self

from litestar import Request, Response, Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter
from pydantic import BaseModel

from services.evaluator.evaluation.domain.confusion_matrix import ConfusionMatrix, NotLabels, confusion_matrix
from services.evaluator.evaluation.domain.evaluation import Evaluation, Progress
from services.evaluator.evaluation.domain.score_warnings import score_warnings
from services.evaluator.evaluation.service.evaluations import Evaluations
from shared.events import Comparison, Contamination, EvalDone, Failure, Interval, Score
from shared.security import Key
from shared.web import NotFound, allow, problem

AnyRequest = Request[Any, Any, Any]


class Figures(BaseModel):
    """One metric over `n` items, for the checkpoint, its base model and production, with the paired tests."""

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
    subjects: dict[str, dict[str, Score]]
    task_errors: dict[str, Failure]
    contamination: tuple[Contamination, ...]
    unreadable: dict[str, int]
    warnings: tuple[str, ...]

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
            subjects=done.subjects,
            task_errors=done.task_errors,
            contamination=done.contamination,
            unreadable=done.unreadable,
            warnings=score_warnings(done),
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
    """A job's evaluations by step; none for a job of another key."""
    found = await evaluations.of_job(job_id)
    return [EvaluationView.of(evaluation) for evaluation in found if _owned(evaluation, request.state.key)]


@get("/{job_id:str}/{step:int}")
async def one(
    request: AnyRequest, job_id: FromPath[str], step: FromPath[int], evaluations: NamedDependency[Evaluations]
) -> EvaluationView:
    """One checkpoint's scores."""
    return EvaluationView.of(await evaluation_of(evaluations, job_id, step, request.state.key))


@get("/{job_id:str}/{step:int}/progress")
async def progress(
    request: AnyRequest, job_id: FromPath[str], step: FromPath[int], evaluations: NamedDependency[Evaluations]
) -> Progress:
    """The scores known so far and the tasks that wait, while an evaluation runs."""
    found = await evaluations.progress_of(job_id, step)
    if found is None or not request.state.key.owns(found.owner):
        raise NotFound(f"no evaluation of job {job_id!r} at step {step} has started")
    return found


@get("/{job_id:str}/{step:int}/samples")
async def samples(
    request: AnyRequest,
    job_id: FromPath[str],
    step: FromPath[int],
    evaluations: NamedDependency[Evaluations],
    limit: Annotated[int, Parameter(ge=1, le=1000)] = 20,
    task: Annotated[str, Parameter(max_length=64)] = "",
) -> list[dict[str, Any]]:
    """The first questions with reference, answers and scores, of a task or of the test split."""
    found = await evaluations.samples(await evaluation_of(evaluations, job_id, step, request.state.key), limit, task)
    if found is None:
        raise NotFound(f"this evaluation has no task {task!r}")
    return found


@get("/{job_id:str}/{step:int}/confusion")
async def confusion(
    request: AnyRequest,
    job_id: FromPath[str],
    step: FromPath[int],
    evaluations: NamedDependency[Evaluations],
    task: Annotated[str, Parameter(max_length=64)] = "",
) -> ConfusionMatrix:
    """The confusion matrix, if the references are labels."""
    found = await evaluations.samples(await evaluation_of(evaluations, job_id, step, request.state.key), None, task)
    if found is None:
        raise NotFound(f"this evaluation has no task {task!r}")
    return confusion_matrix([row["answer"] for row in found], [row["reference"] for row in found])


def _not_labels(_request: AnyRequest, error: NotLabels) -> Response[Any]:
    return problem(422, "Not labels", str(error))


def _owned(evaluation: Evaluation, key: Key) -> bool:
    return key.owns(evaluation.done.candidate.owner)


async def evaluation_of(evaluations: Evaluations, job_id: str, step: int, key: Key) -> Evaluation:
    """One checkpoint's evaluation; raises `NotFound`, also for checkpoints of other keys."""
    evaluation = await evaluations.get(job_id, step)
    if evaluation is None or not _owned(evaluation, key):
        raise NotFound(f"there is no evaluation of job {job_id!r} at step {step}")
    return evaluation


problems: dict[Any, Any] = {NotLabels: _not_labels}
handlers = [of_job, one, progress, samples, confusion]
routes = Router("/v1/evaluations", route_handlers=handlers, guards=[allow("train")], tags=["evaluations"])
