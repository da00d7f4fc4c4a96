"""Pairs by HTTP."""

import json
from typing import Any, Self

from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from pydantic import BaseModel, Field, model_validator

from services.review.access import allow_any, caller_of
from services.review.pairs.baselines import Baselines
from services.review.pairs.domain.baseline import Baseline, Status
from services.review.pairs.domain.export import Shape, rows
from services.review.pairs.domain.pair import Pair, Side
from services.review.pairs.domain.win_rate import WinRate, win_rates
from services.review.pairs.service import Pairs
from services.review.policies.domain.strict_model import StrictModel
from shared.web import allow

AnyRequest = Request[Any, Any, Any]


class PreferenceInput(StrictModel):
    """Which answer is better, as the caller sees them."""

    better: Side
    comment: str = Field(default="", max_length=4000)


class PairView(BaseModel):
    """One pair as a reviewer sees it, without the names of the models."""

    id: str
    prompt: Any
    left: str
    right: str

    @classmethod
    def of(cls, pair: Pair, reviewer: str) -> Self:
        left, right = pair.shown_to(reviewer)
        return cls(id=pair.key, prompt=pair.prompt, left=left, right=right)


class BaselineInput(StrictModel):
    """A checkpoint by job and step, or `production`: the version that served when the checkpoint was evaluated."""

    job_id: str | None = Field(default=None, min_length=1, max_length=128)
    step: int | None = Field(default=None, ge=0)
    production: bool = False

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.job_id is None) != (self.step is None) or self.production == (self.job_id is not None):
            raise ValueError('give both "job_id" and "step", or "production": true')
        return self


class BaselineView(BaseModel):
    """One baseline. `pairs` counts the answers that differ from the candidate's; `reason` says why it failed."""

    model: str
    job_id: str
    step: int
    status: Status
    reason: str
    pairs: int
    evaluation_id: str
    asked_at: int

    @classmethod
    def of(cls, baseline: Baseline) -> Self:
        checkpoint = baseline.checkpoint
        return cls(
            **baseline.model_dump(include={"status", "reason", "pairs", "asked_at"}),
            model=checkpoint.model_name,
            job_id=checkpoint.job_id,
            step=checkpoint.step,
            evaluation_id=baseline.evaluation_id,
        )


@post("/reviews/{review_id:str}/pairs/next", status_code=200)
async def next_pair(
    request: AnyRequest, review_id: FromPath[str], pairs: NamedDependency[Pairs]
) -> dict[str, PairView | None]:
    """Your next pair, None when you have compared all."""
    caller = caller_of(request)
    found = await pairs.next(review_id, caller)
    return {"pair": PairView.of(found, caller.id) if found else None}


@post("/reviews/{review_id:str}/pairs/{pair_id:str}/preference", status_code=200)
async def prefer(
    request: AnyRequest,
    review_id: FromPath[str],
    pair_id: FromPath[str],
    data: JSONBody[PreferenceInput],
    pairs: NamedDependency[Pairs],
) -> PairView:
    """Say which answer is better: `left`, `right` or `tie`."""
    caller = caller_of(request)
    return PairView.of(await pairs.prefer(review_id, pair_id, caller, data.better, data.comment), caller.id)


@get("/reviews/{review_id:str}/pairs/win-rate")
async def rates(request: AnyRequest, review_id: FromPath[str], pairs: NamedDependency[Pairs]) -> list[WinRate]:
    """How often the checkpoint wins against each baseline. Reviewers see it after their last pair."""
    return win_rates(await pairs.unblinded(review_id, caller_of(request)))


@get("/reviews/{review_id:str}/pairs/export")
async def export(
    request: AnyRequest, review_id: FromPath[str], pairs: NamedDependency[Pairs], shape: FromQuery[Shape] = "trl"
) -> Response[bytes]:
    """The preferences as JSON Lines, in the shape of TRL or of OpenAI, with the model of each answer.

    Reviewers get them after their last pair.
    """
    found = rows(await pairs.unblinded(review_id, caller_of(request)), shape)
    content = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in found)
    return Response(content, media_type="application/jsonl")


@get("/reviews/{review_id:str}/pairs/baselines")
async def chosen_baselines(
    request: AnyRequest, review_id: FromPath[str], baselines: NamedDependency[Baselines]
) -> list[BaselineView]:
    """The checkpoints that were asked, beside production, and how far each is. For the job's owner and admin."""
    review = await baselines.managed(review_id, caller_of(request))
    return [BaselineView.of(each) for each in await baselines.all(review)]


@post("/reviews/{review_id:str}/pairs/baselines", status_code=202)
async def choose_baseline(
    request: AnyRequest,
    review_id: FromPath[str],
    data: JSONBody[BaselineInput],
    baselines: NamedDependency[Baselines],
) -> BaselineView:
    """Compare with another checkpoint too. It is asked the review's questions, and pairs follow with its answers."""
    caller = caller_of(request)
    if data.job_id is None or data.step is None:
        return BaselineView.of(await baselines.ask_production(review_id, caller))
    return BaselineView.of(await baselines.ask_checkpoint(review_id, caller, data.job_id, data.step))


routes = Router("/v1", route_handlers=[next_pair, prefer, rates, export], guards=[allow("review")], tags=["pairs"])
manage_routes = Router(
    "/v1",
    route_handlers=[chosen_baselines, choose_baseline],
    guards=[allow_any("review", "train")],
    tags=["pairs"],
)
