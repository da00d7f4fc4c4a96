"""The pages of review: my reviews, scoring, the panel with its disputed items, and the verdict."""

import time
from pathlib import Path
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from services.review.access import caller_of
from services.review.pages.texts import messages
from services.review.panels.adjudication import Adjudication
from services.review.panels.assignments import Assigned, Assignments
from services.review.panels.domain.review import Review, review_id
from services.review.panels.progress import OwnProgress, Progress
from services.review.runs.service import Runs
from shared.pages.rendering import Pages
from shared.pages.router import pages_router

PAGES = Pages("review", Path(__file__).parent)
AnyRequest = Request[Any, Any, Any]
SHOWN = 50


@get("/")
async def my_reviews(
    request: AnyRequest, assignments: NamedDependency[Assignments], progress: NamedDependency[Progress]
) -> Response[bytes]:
    """What waits for the reader, and what was decided."""
    caller, now = caller_of(request), time.time()
    newest = await assignments.reviews.find(newest_first="opened_at", limit=SHOWN)
    waiting = [each for each in newest if each.status == "open"]
    rows = [(review, await progress.own(review.id, caller, now)) for review in waiting]
    others = [each for each in newest if each.status != "open"]
    return PAGES.page(request, "reviews.html.j2", at="review", rows=rows, others=others)


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


@get("/reviews/{review_id:str}/panel")
async def panel(
    request: AnyRequest,
    review_id: FromPath[str],
    assignments: NamedDependency[Assignments],
    progress: NamedDependency[Progress],
    adjudication: NamedDependency[Adjudication],
) -> Response[bytes]:
    """The panel's progress and agreement, and the items that wait for a decision."""
    caller, review = caller_of(request), await assignments.review(review_id)
    found = await progress.panel(review_id, caller)
    disputed = await adjudication.queue(review_id, caller) if review.status == "adjudicating" else []
    values: dict[str, Any] = {"review": review, "panel": found, "disputed": disputed, "rubric": review.policy.rubric}
    return PAGES.page(request, "panel.html.j2", at="review", messages=messages, **values)


@get("/verdicts/{job_id:str}")
async def verdict(
    request: AnyRequest, job_id: FromPath[str], runs: NamedDependency[Runs], assignments: NamedDependency[Assignments]
) -> Response[bytes]:
    """The verdict over a job with all that it rests on, as one page that prints."""
    run = await runs.required(job_id)
    review = await assignments.reviews.get(review_id(run.candidate)) if run.candidate else None
    cards = await assignments.cards(review.id) if review else []
    evaluation = await runs.evaluations.basis(run)
    values: dict[str, Any] = {"run": run, "review": review, "cards": cards, "evaluation": evaluation}
    return PAGES.page(request, "verdict.html.j2", at="review", **values)


def _work(review: Review, found: Assigned | None, own: OwnProgress) -> dict[str, Any]:
    return {
        "review": review,
        "rubric": review.policy.rubric,
        "item": found.item if found else None,
        "turns": messages(found.item.prompt) if found else [],
        "calibration": found is not None and found.kind == "calibration",
        "given": found.score if found else None,
        "own": own,
    }


HANDLERS = (my_reviews, scoring, next_item, one_item, panel, verdict)
routes = pages_router("/console/review", HANDLERS, PAGES, scopes=["review", "train"])
