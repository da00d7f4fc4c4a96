"""Runs, overrides and trials of policies by HTTP."""

from typing import Annotated, Any, Self

from litestar import Request, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, Parameter
from pydantic import BaseModel, Field

from services.review.access import allow_any, caller_of
from services.review.panels.domain.review import review_id
from services.review.policies.domain.data import Data
from services.review.policies.domain.policy import PolicyContent
from services.review.policies.domain.verdict import Ruling
from services.review.runs.domain.run import Run, Status
from services.review.runs.service import Runs
from shared.events import EvalDone
from shared.web import NotFound

AnyRequest = Request[Any, Any, Any]


class OverrideInput(Data):
    """A person's decision in place of the verdict."""

    approved: bool
    reason: str = Field(min_length=3, max_length=2000)


class RunView(BaseModel):
    """A job with the verdict over it and the evidence it rests on."""

    job_id: str
    status: Status
    verdict: Ruling | None
    review_id: str | None
    run: Run
    evaluation: EvalDone | None

    @classmethod
    def of(cls, run: Run, evaluation: EvalDone | None) -> Self:
        asked = run.candidate is not None and run.policy is not None and run.policy.mode != "automatic"
        review = review_id(run.candidate) if run.candidate and asked else None
        return cls(
            job_id=run.job_id, status=run.status, verdict=run.ruling, review_id=review, run=run, evaluation=evaluation
        )


class TrialView(BaseModel):
    """What a policy would have decided about one run, beside what was decided."""

    job_id: str
    decided: Ruling | None
    would: Ruling


@get("/runs/{job_id:str}")
async def run(job_id: FromPath[str], runs: NamedDependency[Runs]) -> RunView:
    """The verdict over a job, with every rule and figure that led to it."""
    found = await runs.get(job_id)
    if found is None:
        raise NotFound(f"there is no job {job_id!r} here")
    return RunView.of(found, await runs.evaluation(found))


@post("/runs/{job_id:str}/override", status_code=200)
async def override(
    request: AnyRequest, job_id: FromPath[str], data: JSONBody[OverrideInput], runs: NamedDependency[Runs]
) -> RunView:
    """Replace the verdict, with a reason. For admin and those whom the policy names."""
    changed = await runs.override(job_id, data.approved, data.reason, caller_of(request))
    return RunView.of(changed, await runs.evaluation(changed))


@post("/policies/trial", status_code=200)
async def trial(
    data: JSONBody[PolicyContent],
    runs: NamedDependency[Runs],
    limit: Annotated[int, Parameter(ge=1, le=100)] = 20,
) -> list[TrialView]:
    """What this policy would have decided about the newest decided runs. Nothing is changed."""
    return [TrialView(**vars(each)) for each in await runs.trial(data, limit)]


routes = Router("/v1", route_handlers=[run, override, trial], guards=[allow_any("review", "train")], tags=["runs"])
