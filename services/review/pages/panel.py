"""The page of a panel: progress, agreement, disputed items, and the forms that manage the review."""

from collections.abc import Mapping
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from services.review.access import caller_of
from services.review.pages.rendering import PAGES, AnyRequest
from services.review.panels.adjudication import Adjudication
from services.review.panels.assignments import Assignments
from services.review.panels.progress import Progress
from shared.pages.conversation import turns
from shared.pages.people import people_with

FEW_ANSWERS = 10
"""On fewer answers than this, agreement is marked as uncertain."""


@get("/reviews/{review_id:str}/panel")
async def panel(
    request: AnyRequest,
    review_id: FromPath[str],
    assignments: NamedDependency[Assignments],
    progress: NamedDependency[Progress],
    adjudication: NamedDependency[Adjudication],
) -> Response[bytes]:
    """The panel's progress and agreement, and the items that wait for a decision."""
    return await panel_page(request, review_id, assignments, progress, adjudication)


async def panel_page(
    request: AnyRequest,
    review_id: str,
    assignments: Assignments,
    progress: Progress,
    adjudication: Adjudication,
    problem: str = "",
    typed: Mapping[str, str] | None = None,
) -> Response[bytes]:
    """With a problem: the page again with what was typed."""
    caller, review = caller_of(request), await assignments.review(review_id)
    decides = review.status == "adjudicating" and review.adjudicated_by(caller)
    values: dict[str, Any] = {
        "review": review,
        "panel": await progress.panel(review_id, caller),
        "disputed": await adjudication.queue(review_id, caller) if decides else [],
        "rubric": review.policy.rubric,
        "least": review.policy.agreement_at_least,
        "few": FEW_ANSWERS,
        "manages": caller.owns(review.candidate.owner),
        "problem": problem,
        "typed": typed or {},
        "reviewers": people_with(request, "review"),
        "messages": turns,
    }
    return PAGES.page(request, "panel.html.j2", status=409 if problem else 200, at="review", **values)
