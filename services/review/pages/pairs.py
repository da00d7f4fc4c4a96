"""The page on which reviewers compare two answers side by side."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from services.review.access import caller_of
from services.review.pages.rendering import PAGES, REFUSALS, AnyRequest
from services.review.pairs.domain.win_rate import win_rates
from services.review.pairs.service import Pairs, last_of, next_of
from shared.pages.conversation import turns
from shared.pages.forms import fields, see_other

SIDES = ("left", "right", "tie")
MAX_COMMENT = 4000


@get("/reviews/{review_id:str}/pairs")
async def pairs_page(
    request: AnyRequest, review_id: FromPath[str], pairs: NamedDependency[Pairs], again: FromQuery[str] = ""
) -> Response[bytes]:
    """The next pair that the reader has not compared; with `again`, the one of this key, to change what was said."""
    return await _page(request, review_id, pairs, again)


@post("/reviews/{review_id:str}/pairs", status_code=200)
async def prefer(request: AnyRequest, review_id: FromPath[str], pairs: NamedDependency[Pairs]) -> Response[Any]:
    """Store which answer is better, and go on to the next pair."""
    form, caller = await fields(request), caller_of(request)
    side, comment = form.get("better", ""), form.get("comment", "")[:MAX_COMMENT]
    if side not in SIDES:
        problem, status = "choose one of the two answers, or a tie", 422
        return await _page(request, review_id, pairs, form.get("pair", ""), comment, problem, status)
    try:
        await pairs.prefer(review_id, form.get("pair", ""), caller, side, comment)
    except REFUSALS as refusal:
        return await _page(request, review_id, pairs, form.get("pair", ""), comment, str(refusal), 409)
    return see_other(f"/console/review/reviews/{review_id}/pairs")


async def _page(
    request: AnyRequest,
    review_id: str,
    pairs: Pairs,
    again: str,
    typed: str | None = None,
    problem: str = "",
    status: int = 200,
) -> Response[bytes]:
    caller, review = caller_of(request), await pairs.assignments.review(review_id)
    review.require_not_own(caller)
    every = await pairs.all(review_id)
    following, last = next_of(every, caller), last_of(every, caller)
    # After the last pair the page tells which model gave which answer: then nothing is compared again.
    before = next((each for each in every if following and each.key == again and caller.id in each.preferences), None)
    pair, done = before or following, sum(caller.id in each.preferences for each in every)
    values: dict[str, Any] = {
        "review": review,
        "pair": pair,
        "shown": pair.shown_to(caller.id) if pair else ("", ""),
        "turns": turns(pair.prompt) if pair else [],
        "done": done,
        "place": done if before else done + 1,
        "total": len(every),
        "last": last.key if last else "",
        "again": before.side_preferred(caller.id) if before else None,
        # Win rates are shown only after the reviewer's last pair, so that they do not influence them.
        "rates": win_rates(every) if following is None else [],
        "manages": caller.owns(review.candidate.owner),
        "comment": typed if typed is not None else before.preferences[caller.id].comment if before else "",
        "problem": problem,
    }
    return PAGES.page(request, "pairs.html.j2", status=status, at="review", **values)
