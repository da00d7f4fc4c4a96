"""The page on which reviewers compare two answers side by side."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from services.review.access import caller_of
from services.review.pages.rendering import PAGES, REFUSALS, AnyRequest
from services.review.pairs.domain.win_rate import win_rates
from services.review.pairs.service import Pairs, next_of
from shared.pages.conversation import turns
from shared.pages.forms import fields, see_other

SIDES = ("left", "right", "tie")
MAX_COMMENT = 4000


@get("/reviews/{review_id:str}/pairs")
async def pairs_page(request: AnyRequest, review_id: FromPath[str], pairs: NamedDependency[Pairs]) -> Response[bytes]:
    """The next pair that the reader has not compared."""
    return await _page(request, review_id, pairs)


@post("/reviews/{review_id:str}/pairs", status_code=200)
async def prefer(request: AnyRequest, review_id: FromPath[str], pairs: NamedDependency[Pairs]) -> Response[Any]:
    """Store which answer is better, and go on to the next pair."""
    form, caller = await fields(request), caller_of(request)
    side, comment = form.get("better", ""), form.get("comment", "")[:MAX_COMMENT]
    if side not in SIDES:
        return await _page(request, review_id, pairs, comment, "choose one of the two answers, or a tie", 422)
    try:
        await pairs.prefer(review_id, form.get("pair", ""), caller, side, comment)
    except REFUSALS as refusal:
        return await _page(request, review_id, pairs, comment, str(refusal), 409)
    return see_other(f"/console/review/reviews/{review_id}/pairs")


async def _page(
    request: AnyRequest, review_id: str, pairs: Pairs, comment: str = "", problem: str = "", status: int = 200
) -> Response[bytes]:
    caller, review = caller_of(request), await pairs.assignments.review(review_id)
    review.require_not_own(caller)
    every = await pairs.all(review_id)
    pair = next_of(every, caller)
    values: dict[str, Any] = {
        "review": review,
        "pair": pair,
        "shown": pair.shown_to(caller.id) if pair else ("", ""),
        "turns": turns(pair.prompt) if pair else [],
        "done": sum(caller.id in each.preferences for each in every),
        "total": len(every),
        # Win rates are shown only after the reviewer's last pair, so that they do not influence them.
        "rates": win_rates(every) if pair is None else [],
        "manages": caller.owns(review.candidate.owner),
        "comment": comment,
        "problem": problem,
    }
    return PAGES.page(request, "pairs.html.j2", status=status, at="review", **values)
