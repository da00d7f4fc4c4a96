"""The pages of review: my reviews and scoring are here, the others beside it."""

import time
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from services.review.access import caller_of
from services.review.pages.baselines import baselines_page, choose_baseline
from services.review.pages.managing import manage, override_verdict
from services.review.pages.pairs import pairs_page, prefer
from services.review.pages.panel import panel
from services.review.pages.policies import change_policy, policies_page, policy_page
from services.review.pages.question_sets import import_questions, question_set_page, question_sets_page
from services.review.pages.rendering import LIKE, PAGES, AnyRequest
from services.review.pages.verdict import verdict, verdict_item
from services.review.pages.waiting import waiting
from services.review.panels.assignments import Assigned, Assignments
from services.review.panels.domain.review import Review
from services.review.panels.progress import OwnProgress, Progress
from shared.pages.conversation import turns
from shared.pages.router import pages_router

SHOWN = 50


@get("/")
async def my_reviews(
    request: AnyRequest, assignments: NamedDependency[Assignments], progress: NamedDependency[Progress]
) -> Response[bytes]:
    """What waits for the reader, and what was decided."""
    caller, now = caller_of(request), time.time()
    newest = await assignments.reviews.find(newest_first="opened_at", limit=SHOWN)
    opened = [each for each in newest if each.status == "open"]
    rows = list(zip(opened, await progress.own_in(opened, caller, now), strict=True))
    to_decide = [each for each in newest if each.status == "adjudicating" and each.adjudicated_by(caller)]
    others = [each for each in newest if each not in (*opened, *to_decide)]
    return PAGES.page(request, "reviews.html.j2", at="review", rows=rows, to_decide=to_decide, others=others)


@get("/reviews/{review_id:str}")
async def scoring(
    request: AnyRequest,
    review_id: FromPath[str],
    assignments: NamedDependency[Assignments],
    progress: NamedDependency[Progress],
) -> Response[bytes]:
    """The item that the reader scores next."""
    caller = caller_of(request)
    review = await assignments.review(review_id)
    found = await assignments.next(review_id, caller) if review.status == "open" else None
    own = await progress.own(review_id, caller, time.time())
    return PAGES.page(request, "scoring.html.j2", at="review", **_work(review, found, own))


@get("/reviews/{review_id:str}/next")
async def next_item(
    request: AnyRequest,
    review_id: FromPath[str],
    assignments: NamedDependency[Assignments],
    progress: NamedDependency[Progress],
    skip: FromQuery[str] = "",
) -> Response[bytes]:
    """The item after the one on the screen, fetched before it is needed."""
    caller, review = caller_of(request), await assignments.review(review_id)
    found = await assignments.next(review_id, caller, skip)
    own = await progress.own(review_id, caller, time.time())
    # The item on the screen will be scored by the time this one is shown.
    ahead = OwnProgress(own.done + bool(skip), max(own.left - bool(skip), 0), own.seconds_per_item, own.break_due)
    return PAGES.fragment(request, "item.html.j2", **_work(review, found, ahead))


@get("/reviews/{review_id:str}/items/{item_id:str}")
async def one_item(
    request: AnyRequest,
    review_id: FromPath[str],
    item_id: FromPath[str],
    assignments: NamedDependency[Assignments],
    progress: NamedDependency[Progress],
) -> Response[bytes]:
    """An item that the reader has scored, or has undone."""
    caller, review = caller_of(request), await assignments.review(review_id)
    found = await assignments.item(review_id, item_id, caller)
    own = await progress.own(review_id, caller, time.time())
    return PAGES.fragment(request, "item.html.j2", **_work(review, found, own))


def _work(review: Review, found: Assigned | None, own: OwnProgress) -> dict[str, Any]:
    return {
        "review": review,
        "rubric": review.policy.rubric,
        "item": found.item if found else None,
        "turns": turns(found.item.prompt) if found else [],
        "calibration": found is not None and found.kind == "calibration",
        "given": found.score if found else None,
        "own": own,
    }


HANDLERS = (
    my_reviews,
    waiting,
    scoring,
    next_item,
    one_item,
    panel,
    manage,
    pairs_page,
    prefer,
    baselines_page,
    choose_baseline,
    verdict,
    verdict_item,
    override_verdict,
    question_sets_page,
    import_questions,
    question_set_page,
    policies_page,
    policy_page,
    change_policy,
)
routes = pages_router("/console/review", HANDLERS, PAGES, scopes=["review", "train"], like=LIKE)
