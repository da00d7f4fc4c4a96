"""Models on a suite by request, before any training: the form, progress, and the comparison of the answers."""

from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import urlencode

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, Parameter
from litestar.response import Redirect

from services.evaluator.comparison.domain.item_difference import ItemFilter
from services.evaluator.comparison.service import NotComparable, RequestedComparisons
from services.evaluator.evaluation.service.evaluation_requests import (
    MAX_MODELS,
    EvaluationRequests,
    RequestRefused,
)
from services.evaluator.pages import PAGES
from services.evaluator.pages.comparison_view import ComparisonView, ItemChoice
from services.evaluator.pages.models import job_hints
from services.evaluator.suites.service.suite_catalog import SuiteCatalog
from shared.web import NotFound

AnyRequest = Request[Any, Any, Any]
PATH = "/console/evaluator/requests"
SHOWN = 20
Text = Annotated[str, Parameter(max_length=300)]


@dataclass(frozen=True)
class ChosenModels:
    """What the form says, as it was chosen."""

    models: tuple[str, ...] = ()
    suite: str = ""


@get("/requests")
async def evaluation_requests(
    request: AnyRequest, requests: NamedDependency[EvaluationRequests], suite_catalog: NamedDependency[SuiteCatalog]
) -> Response[bytes]:
    """The form, and the newest evaluations on request."""
    return await _form(request, requests, suite_catalog, ChosenModels())


@post("/requests", status_code=303)
async def request_evaluation(
    request: AnyRequest, requests: NamedDependency[EvaluationRequests], suite_catalog: NamedDependency[SuiteCatalog]
) -> Response[Any]:
    """Ask for an evaluation; what is refused stays chosen."""
    form = await request.form()
    chosen = ChosenModels(tuple(str(each) for each in form.getall("model", [])), str(form.get("suite", "")))
    try:
        made = await requests.request(chosen.models, chosen.suite, request.state.key)
    except RequestRefused as error:
        return await _form(request, requests, suite_catalog, chosen, problem=str(error), status=422)
    return Redirect(f"{PATH}/{made.id}", status_code=303)


@get("/requests/{evaluation_id:str}")
async def requested_evaluation(
    request: AnyRequest,
    evaluation_id: FromPath[str],
    requests: NamedDependency[EvaluationRequests],
    requested_comparisons: NamedDependency[RequestedComparisons],
    against: Text = "",
    model: Text = "",
    task: Annotated[str | None, Parameter(max_length=64)] = None,
    which: FromQuery[ItemFilter | None] = None,
    page: Annotated[int, Parameter(ge=1, le=100_000)] = 1,
    item: Text = "",
) -> Response[bytes]:
    """How far the evaluation is, or its comparison."""
    found = await requests.get(evaluation_id)
    if found is None or not request.state.key.owns(found.owner):
        raise NotFound(f"there is no evaluation {evaluation_id!r}")
    choice = ItemChoice(model, task, which or "", page, item)
    view, problem = None, found.answered.error.message if found.answered and found.answered.error else ""
    if found.answered and not problem:
        try:
            complete = await requested_comparisons.complete(found.answered, against)
            asked = found.requested.models if found.requested else ()
            candidates = {each.name: each.candidate for each in asked if each.candidate}
            view = ComparisonView(replace(complete, candidates=candidates), choice, checkpoints=False)
        except NotComparable as error:
            problem = str(error)

    def link(**changes: Any) -> str:
        return f"{PATH}/{found.id}?{urlencode(choice.query({'against': against, **changes}))}"

    values: dict[str, Any] = {"found": found, "view": view, "problem": problem, "link": link}
    return PAGES.page(request, "request.html.j2", at="evaluate", **values)


async def _form(
    request: AnyRequest,
    requests: EvaluationRequests,
    catalog: SuiteCatalog,
    chosen: ChosenModels,
    *,
    problem: str = "",
    status: int = 200,
) -> Response[bytes]:
    key = request.state.key
    checkpoints = await requests.newest_checkpoints(key)
    values: dict[str, Any] = {
        "newest": await requests.newest(key, SHOWN),
        "base_models": await requests.engines.base_models(),
        "checkpoints": checkpoints,
        "hints": job_hints({each.id: each.done.candidate for each in checkpoints}),
        "suites": [each.name for each in await catalog.visible(key) if each.tasks and each.readable_by(key.person)],
        "chosen": chosen,
        "problem": problem,
        "most": MAX_MODELS,
    }
    return PAGES.page(request, "requests.html.j2", status=status, at="evaluate", **values)
