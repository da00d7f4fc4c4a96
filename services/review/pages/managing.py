"""Forms that manage a review or a verdict: cancel, reopen, deadline, reassign, override."""

import time
from collections.abc import Awaitable
from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from services.review.access import caller_of
from services.review.pages.panel import panel_page
from services.review.pages.rendering import REFUSALS, AnyRequest
from services.review.pages.verdict import verdict_page
from services.review.panels.adjudication import Adjudication
from services.review.panels.assignments import Assignments
from services.review.panels.lifecycle import Lifecycle
from services.review.panels.progress import Progress
from services.review.runs.deciding import Runs
from services.review.runs.overriding import Overriding
from shared.pages.forms import fields, see_other

MAX_HOURS = 24 * 365
LEAST_REASON = 3


class Incomplete(Exception):
    """A field of a form is missing or unusable; the message says which."""


@post("/reviews/{review_id:str}/manage", status_code=200)
async def manage(
    request: AnyRequest,
    review_id: FromPath[str],
    lifecycle: NamedDependency[Lifecycle],
    assignments: NamedDependency[Assignments],
    progress: NamedDependency[Progress],
    adjudication: NamedDependency[Adjudication],
) -> Response[Any]:
    """Cancel, reopen, extend or reassign, and show the panel as it then is."""
    form = await fields(request)
    try:
        await _do(lifecycle, review_id, form, request)
    except (*REFUSALS, Incomplete) as refusal:
        return await panel_page(request, review_id, assignments, progress, adjudication, str(refusal), form)
    return see_other(f"/console/review/reviews/{review_id}/panel")


@post("/verdicts/{job_id:str}/override", status_code=200)
async def override_verdict(
    request: AnyRequest,
    job_id: FromPath[str],
    runs: NamedDependency[Runs],
    overriding: NamedDependency[Overriding],
    assignments: NamedDependency[Assignments],
) -> Response[Any]:
    """Replace the verdict, and show it."""
    form = await fields(request)
    try:
        reason = _reason(form)
        await overriding.override(job_id, form.get("do") == "approve", reason, caller_of(request))
    except (*REFUSALS, Incomplete) as refusal:
        return await verdict_page(request, job_id, runs, assignments, str(refusal), form.get("reason", ""))
    return see_other(f"/console/review/verdicts/{job_id}")


def _do(lifecycle: Lifecycle, review_id: str, form: dict[str, str], request: AnyRequest) -> Awaitable[object]:
    caller = caller_of(request)
    match form.get("do"):
        case "cancel":
            return lifecycle.cancel(review_id, _reason(form), caller)
        case "reopen":
            return lifecycle.reopen(review_id, _reason(form), caller)
        case "deadline":
            return lifecycle.extend(review_id, _deadline(form), caller)
        case "reassign" if form.get("old") and form.get("new"):
            return lifecycle.reassign(review_id, form["old"], form["new"], caller)
        case _:
            raise Incomplete("name the reviewer who left and the one who takes over")


def _reason(form: dict[str, str]) -> str:
    reason = form.get("reason", "")
    if not LEAST_REASON <= len(reason) <= 2000:
        raise Incomplete("give a reason of 3 to 2000 characters")
    return reason


def _deadline(form: dict[str, str]) -> float | None:
    if not form.get("hours"):
        return None
    try:
        hours = float(form["hours"])
    except ValueError:
        hours = 0
    if not 0 < hours <= MAX_HOURS:
        raise Incomplete(f"the deadline must be more than 0 and at most {MAX_HOURS} hours away")
    return time.time() + 3600 * hours
