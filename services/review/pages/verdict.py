"""The page of a verdict, which prints as one page, and that of each item it rests on."""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from services.review.access import caller_of
from services.review.pages.rendering import PAGES, AnyRequest
from services.review.panels.assignments import Assignments
from services.review.panels.domain.item import UnknownItem
from services.review.panels.domain.review import UNFINISHED, review_id
from services.review.runs.deciding import Runs
from services.review.runs.domain.run import Run
from shared.events import EvalDone
from shared.pages.conversation import turns
from shared.rule_figures import figure_of, limit_of
from shared.security import NotAllowed


@get("/verdicts/{job_id:str}")
async def verdict(
    request: AnyRequest, job_id: FromPath[str], runs: NamedDependency[Runs], assignments: NamedDependency[Assignments]
) -> Response[bytes]:
    """The verdict over a job with all that it rests on."""
    return await verdict_page(request, job_id, runs, assignments)


@get("/verdicts/{job_id:str}/items/{item_id:str}")
async def verdict_item(
    request: AnyRequest,
    job_id: FromPath[str],
    item_id: FromPath[str],
    runs: NamedDependency[Runs],
    assignments: NamedDependency[Assignments],
) -> Response[bytes]:
    """One item with its answer, all scores and the decision; hidden while people score blind."""
    run = await runs.required(job_id)
    review = await assignments.review(review_id(run.candidate)) if run.candidate else None
    if review is None:
        raise UnknownItem(f"the job {job_id!r} has no review")
    if review.status in UNFINISHED:
        raise NotAllowed("people still score; the scores are shown when the review is closed")
    item, card = await assignments.evidence(review.id, item_id)
    values: dict[str, Any] = {"run": run, "review": review, "item": item, "card": card}
    values |= {"turns": turns(item.prompt), "score": run.item_scores.get(item_id)}
    return PAGES.page(request, "verdict_item.html.j2", at="review", **values)


async def verdict_page(
    request: AnyRequest, job_id: str, runs: Runs, assignments: Assignments, problem: str = "", reason: str = ""
) -> Response[bytes]:
    """With a problem: the page again with the reason that was typed."""
    run, caller = await runs.required(job_id), caller_of(request)
    review = await assignments.reviews.get(review_id(run.candidate)) if run.candidate else None
    hidden = review is None or review.status in UNFINISHED
    basis, choice = await runs.evaluations.basis(run), await runs.evaluations.choice(run)
    values: dict[str, Any] = {
        "run": run,
        "review": review,
        "cards": [] if review is None or hidden else await assignments.cards(review.id),
        "evaluation": basis,
        "choice": choice if choice and choice.split == "validation" else None,
        "metrics": _metrics(run, basis),
        "figure_of": figure_of,
        "limit_of": limit_of,
        "suites": _suites(basis),
        "overrides": caller.admin or (run.policy is not None and not caller.ids.isdisjoint(run.policy.overriders)),
        "problem": problem,
        "reason": reason,
    }
    return PAGES.page(request, "verdict.html.j2", status=409 if problem else 200, at="review", **values)


def _metrics(run: Run, evaluation: EvalDone | None) -> list[str]:
    """The metrics that the verdict rests on, in the policy's order."""
    if run.policy is None or evaluation is None:
        return []
    return list(dict.fromkeys([run.policy.rank_by, *(gate.metric for gate in run.policy.gates)]))


def _suites(evaluation: EvalDone | None) -> list[str]:
    names = (*evaluation.task_samples, *evaluation.task_errors) if evaluation else ()
    return sorted({name.split(".", 1)[0] for name in names})
