"""Reviews, items and scores by HTTP."""

import time
from typing import Annotated, Any, Literal

from litestar import Request, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, Parameter

from services.review.access import caller_of, json_body
from services.review.panels.assignments import Assignments
from services.review.panels.domain.scorecard import Score
from services.review.panels.progress import Progress
from services.review.panels.views import ItemView, NextView, OwnView, ReviewView, ScoredView, ScoresInput
from shared.web import allow

AnyRequest = Request[Any, Any, Any]
Limit = Annotated[int, Parameter(ge=1, le=100)]


@get("/reviews")
async def newest(
    assignments: NamedDependency[Assignments],
    status: Annotated[Literal["open", "adjudicating", "closed", "cancelled"] | None, Parameter()] = None,
    limit: Limit = 20,
) -> list[ReviewView]:
    """The newest reviews."""
    where = {"status": status} if status else {}
    found = await assignments.reviews.find(newest_first="opened_at", limit=limit, **where)
    return [ReviewView.of(review) for review in found]


@get("/reviews/{review_id:str}")
async def review(review_id: FromPath[str], assignments: NamedDependency[Assignments]) -> ReviewView:
    """One review."""
    return ReviewView.of(await assignments.review(review_id))


@get("/reviews/{review_id:str}/items")
async def items(
    request: AnyRequest, review_id: FromPath[str], assignments: NamedDependency[Assignments], limit: Limit = 100
) -> list[ItemView]:
    """The items that you have or may take, in your own random order; those without your score come first."""
    mine = await assignments.mine(review_id, caller_of(request))
    return [ItemView.of(each) for each in sorted(mine, key=lambda each: each.score is not None)[:limit]]


@post("/reviews/{review_id:str}/next", status_code=200)
async def next_item(
    request: AnyRequest,
    review_id: FromPath[str],
    assignments: NamedDependency[Assignments],
    progress: NamedDependency[Progress],
    skip: FromQuery[str] = "",
) -> NextView:
    """Reserve your next item. `skip` names an item that you have on the screen, to fetch the one after it."""
    caller = caller_of(request)
    found = await assignments.next(review_id, caller, skip)
    own = OwnView.of(await progress.own(review_id, caller, time.time()))
    return NextView(item=ItemView.of(found) if found else None, progress=own)


@get("/reviews/{review_id:str}/items/{item_id:str}")
async def item(
    request: AnyRequest, review_id: FromPath[str], item_id: FromPath[str], assignments: NamedDependency[Assignments]
) -> ItemView:
    """One item that you have or may take."""
    return ItemView.of(await assignments.item(review_id, item_id, caller_of(request)))


@post("/reviews/{review_id:str}/items/{item_id:str}/scores", status_code=200)
async def score(
    request: AnyRequest,
    review_id: FromPath[str],
    item_id: FromPath[str],
    assignments: NamedDependency[Assignments],
    progress: NamedDependency[Progress],
) -> ScoredView:
    """Score one item on each criterion; again while the review is open to replace your scores.

    The body is `{"scores": {"accuracy": 5, …}, "comment": "…", "seconds": 12.5, "discuss": false}`.
    """
    caller, given = caller_of(request), await json_body(request, ScoresInput)
    found = await assignments.review(review_id)
    unscored = Score(points={}, comment=given.comment, seconds=given.seconds, discuss=given.discuss)
    stored = await assignments.score(review_id, item_id, caller, given.scores, unscored)
    right = await assignments.calibration.right_scores(found, item_id)
    own = OwnView.of(await progress.own(review_id, caller, time.time()))
    return ScoredView(score=stored, right_scores=right, progress=own)


@post("/reviews/{review_id:str}/undo", status_code=200)
async def undo(
    request: AnyRequest,
    review_id: FromPath[str],
    assignments: NamedDependency[Assignments],
    progress: NamedDependency[Progress],
) -> NextView:
    """Take back your last score; the item is yours to score again."""
    caller = caller_of(request)
    found = await assignments.undo(review_id, caller)
    own = OwnView.of(await progress.own(review_id, caller, time.time()))
    return NextView(item=ItemView.of(found) if found else None, progress=own)


@get("/reviews/{review_id:str}/progress")
async def own_progress(
    request: AnyRequest,
    review_id: FromPath[str],
    assignments: NamedDependency[Assignments],
    progress: NamedDependency[Progress],
) -> OwnView:
    """How far you are."""
    await assignments.review(review_id)
    return OwnView.of(await progress.own(review_id, caller_of(request), time.time()))


routes = Router(
    "/v1",
    route_handlers=[newest, review, items, next_item, item, score, undo, own_progress],
    guards=[allow("review")],
    tags=["reviews"],
)
