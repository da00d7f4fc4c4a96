"""The page on which the owner of a job chooses the models that its pairs compare with."""

from collections.abc import Mapping
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from services.review.access import caller_of
from services.review.pages.rendering import PAGES, REFUSALS, AnyRequest
from services.review.pairs.baselines import Baselines
from services.review.pairs.domain.win_rate import win_rates
from services.review.runs.domain.run import UnknownRun
from shared.pages.forms import fields, see_other
from shared.whole_number import whole_number

PRODUCTION = "production"


class BadCheckpoint(Exception):
    """A form names no checkpoint; the message says what to write."""


@get("/reviews/{review_id:str}/baselines")
async def baselines_page(
    request: AnyRequest, review_id: FromPath[str], baselines: NamedDependency[Baselines]
) -> Response[bytes]:
    """What is compared, how often the checkpoint wins, and the form to choose another one."""
    return await _page(request, review_id, baselines)


@post("/reviews/{review_id:str}/baselines", status_code=200)
async def choose_baseline(
    request: AnyRequest, review_id: FromPath[str], baselines: NamedDependency[Baselines]
) -> Response[Any]:
    """Have another checkpoint answer, and show the page as it then is."""
    form, caller = await fields(request), caller_of(request)
    named = form.get("other") or form.get("checkpoint", "")
    try:
        if named == PRODUCTION:
            await baselines.ask_production(review_id, caller)
        else:
            await baselines.ask_checkpoint(review_id, caller, *_job_and_step(named))
    except (*REFUSALS, UnknownRun, BadCheckpoint) as refusal:
        return await _page(request, review_id, baselines, str(refusal), form)
    return see_other(f"/console/review/reviews/{review_id}/baselines")


async def _page(
    request: AnyRequest,
    review_id: str,
    baselines: Baselines,
    problem: str = "",
    typed: Mapping[str, str] | None = None,
) -> Response[bytes]:
    """With a problem: the page again with what was typed."""
    caller = caller_of(request)
    review = await baselines.managed(review_id, caller)
    values: dict[str, Any] = {
        "review": review,
        "rates": win_rates(await baselines.pairs.all(review_id)),
        "asked": await baselines.all(review),
        "offered": await baselines.checkpoints.offered(review.job_id, caller),
        "offers_production": not review.production and await baselines.checkpoints.in_production(review.job_id),
        "problem": problem,
        "typed": typed or {},
    }
    return PAGES.page(request, "baselines.html.j2", status=409 if problem else 200, at="review", **values)


def _job_and_step(named: str) -> tuple[str, int]:
    job_id, _, typed_step = named.rpartition("/")
    step = whole_number(typed_step)
    if not job_id or step is None:
        raise BadCheckpoint("choose a checkpoint, or write its job and step as in ftjob-1a2b/20")
    return job_id, step
