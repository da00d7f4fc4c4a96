"""Verdicts, overrides and trials of policies by HTTP."""

import asyncio
from typing import Annotated, Any, Self

from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, Parameter
from pydantic import BaseModel, Field

from services.review.access import allow_any, caller_of
from services.review.panels.domain.review import review_id
from services.review.policies.domain.policy import PolicyContent
from services.review.policies.domain.strict_model import StrictModel
from services.review.policies.domain.verdict import Ruling
from services.review.runs.deciding import Runs
from services.review.runs.domain.run import Run, Status
from services.review.runs.overriding import Overriding
from services.review.runs.policy_trials import Trial, Trials
from shared.events import EvalDone
from shared.web import NotFound

AnyRequest = Request[Any, Any, Any]


class OverrideInput(StrictModel):
    """A person's decision in place of the verdict."""

    approved: bool
    reason: str = Field(min_length=3, max_length=2000)


class VerdictView(BaseModel):
    """The verdict over a job and the evidence it rests on.

    `evaluation` holds the figures that the gates judge: those of the test split. `choice` holds the figures by which
    the checkpoint was chosen: those of the validation split; None where there was one checkpoint.
    """

    job_id: str
    status: Status
    verdict: Ruling | None
    review_id: str | None
    run: Run
    evaluation: EvalDone | None
    choice: EvalDone | None

    @classmethod
    async def of(cls, run: Run, runs: Runs) -> Self:
        asked = run.candidate is not None and run.policy is not None and run.policy.mode != "automatic"
        choice = await runs.evaluations.choice(run)
        return cls(
            job_id=run.job_id,
            status=run.status,
            verdict=run.ruling,
            review_id=review_id(run.candidate) if run.candidate and asked else None,
            run=run,
            evaluation=None if run.status == "proving" else await runs.evaluations.basis(run),
            choice=choice if choice and choice.split == "validation" else None,
        )


class TrialView(BaseModel):
    """What a policy would have decided about one run, beside what was decided."""

    job_id: str
    alias: str
    decided: Ruling | None
    would: Ruling
    step: int
    proved: bool

    @classmethod
    def of(cls, trial: Trial) -> Self:
        return cls(**vars(trial))


@get("/verdicts/{job_id:str}")
async def verdict(job_id: FromPath[str], runs: NamedDependency[Runs]) -> VerdictView:
    """The verdict over a job, with every rule and figure that led to it."""
    return await VerdictView.of(await runs.required(job_id), runs)


@get("/verdicts/{job_id:str}/samples")
async def samples(job_id: FromPath[str], runs: NamedDependency[Runs]) -> Response[bytes]:
    """The answers that the verdict rests on, as JSON Lines: prompt, reference, and each model's answer and scores."""
    run = await runs.required(job_id)
    evaluation = await runs.evaluations.basis(run)
    if evaluation is None or run.status == "proving":
        raise NotFound(f"no checkpoint of the job {job_id!r} was asked the test split yet")
    content = await asyncio.to_thread(runs.proving.files.read, evaluation.samples)
    return Response(content, media_type="application/jsonl")


@post("/verdicts/{job_id:str}/override", status_code=200)
async def override(
    request: AnyRequest,
    job_id: FromPath[str],
    data: JSONBody[OverrideInput],
    runs: NamedDependency[Runs],
    overriding: NamedDependency[Overriding],
) -> VerdictView:
    """Replace the verdict, with a reason. For admin and those whom the policy names."""
    changed = await overriding.override(job_id, data.approved, data.reason, caller_of(request))
    return await VerdictView.of(changed, runs)


@post("/policies/trial", status_code=200)
async def trial(
    data: JSONBody[PolicyContent],
    trials: NamedDependency[Trials],
    limit: Annotated[int, Parameter(ge=1, le=100)] = 20,
) -> list[TrialView]:
    """What this policy would have decided about the newest decided runs. Nothing is changed."""
    return [TrialView.of(each) for each in await trials.of(data, limit)]


routes = Router(
    "/v1", route_handlers=[verdict, samples, override, trial], guards=[allow_any("review", "train")], tags=["verdicts"]
)
