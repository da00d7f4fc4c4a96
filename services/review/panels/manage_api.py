"""The panel's progress, adjudication and the life of a review by HTTP."""

from typing import Any

from litestar import Request, Router, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from pydantic import Field

from services.review.access import allow_any, caller_of, json_body
from services.review.panels.adjudication import Adjudication
from services.review.panels.domain.item import Item
from services.review.panels.domain.scorecard import Decision, Score
from services.review.panels.lifecycle import Lifecycle
from services.review.panels.progress import Panel, Progress
from services.review.panels.views import ReviewView
from services.review.policies.domain.strict_model import StrictModel

AnyRequest = Request[Any, Any, Any]


class DecisionInput(StrictModel):
    """An adjudicator's scores with the reason."""

    scores: dict[str, Any] = Field(max_length=20)
    reason: str = Field(default="", max_length=2000)


class ReasonInput(StrictModel):
    """Why a review is cancelled or reopened."""

    reason: str = Field(min_length=3, max_length=2000)


class DeadlineInput(StrictModel):
    """When the review closes with the scores that are there, in Unix seconds; None for no deadline."""

    deadline_at: float | None = Field(ge=0, le=2**40)


class ReassignInput(StrictModel):
    """Gives the unfinished items of `old` to `new`; both are ids of people or keys."""

    old: str = Field(min_length=1, max_length=128)
    new: str = Field(min_length=1, max_length=128)


class DisputedView(Item):
    """An item on which reviewers differ, with their scores and comments, without names."""

    scores: tuple[Score, ...]
    decision: Decision | None


@get("/reviews/{review_id:str}/panel")
async def panel(request: AnyRequest, review_id: FromPath[str], progress: NamedDependency[Progress]) -> Panel:
    """Progress of the panel; agreement and reviewers who need a look once all scores are given, or for admin."""
    return await progress.panel(review_id, caller_of(request))


@get("/reviews/{review_id:str}/disputed")
async def disputed(
    request: AnyRequest, review_id: FromPath[str], adjudication: NamedDependency[Adjudication]
) -> list[DisputedView]:
    """The items that wait for an adjudicator, the largest difference first."""
    found = await adjudication.queue(review_id, caller_of(request))
    return [DisputedView(**each.item.model_dump(), scores=each.scores, decision=each.decision) for each in found]


@post("/reviews/{review_id:str}/items/{item_id:str}/decision", status_code=200)
async def decide_item(
    request: AnyRequest, review_id: FromPath[str], item_id: FromPath[str], adjudication: NamedDependency[Adjudication]
) -> Decision:
    """Decide a disputed item. Your scores count; the reviewers' scores stay on record."""
    given = await json_body(request, DecisionInput)
    return await adjudication.decide(review_id, item_id, caller_of(request), given.scores, given.reason)


@post("/reviews/{review_id:str}/cancel", status_code=200)
async def cancel(
    request: AnyRequest, review_id: FromPath[str], data: JSONBody[ReasonInput], lifecycle: NamedDependency[Lifecycle]
) -> ReviewView:
    """End a review without a verdict."""
    return ReviewView.of(await lifecycle.cancel(review_id, data.reason, caller_of(request)))


@post("/reviews/{review_id:str}/reopen", status_code=200)
async def reopen(
    request: AnyRequest, review_id: FromPath[str], data: JSONBody[ReasonInput], lifecycle: NamedDependency[Lifecycle]
) -> ReviewView:
    """Take scores again after a cancelled review or an undecided verdict."""
    return ReviewView.of(await lifecycle.reopen(review_id, data.reason, caller_of(request)))


@put("/reviews/{review_id:str}/deadline")
async def deadline(
    request: AnyRequest, review_id: FromPath[str], data: JSONBody[DeadlineInput], lifecycle: NamedDependency[Lifecycle]
) -> ReviewView:
    """Set another deadline, or none."""
    return ReviewView.of(await lifecycle.extend(review_id, data.deadline_at, caller_of(request)))


@post("/reviews/{review_id:str}/reassign", status_code=200)
async def reassign(
    request: AnyRequest, review_id: FromPath[str], data: JSONBody[ReassignInput], lifecycle: NamedDependency[Lifecycle]
) -> dict[str, int]:
    """Give a reviewer's unfinished items to another."""
    return {"items": await lifecycle.reassign(review_id, data.old, data.new, caller_of(request))}


routes = Router(
    "/v1",
    route_handlers=[panel, disputed, decide_item, cancel, reopen, deadline, reassign],
    guards=[allow_any("review", "train")],
    tags=["reviews"],
)
