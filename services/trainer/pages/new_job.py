"""A new job: the form, and what it would do, before it is started."""

from dataclasses import dataclass, field
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from pydantic import ValidationError

from services.trainer.domain.errors import PlanRefused
from services.trainer.pages import PAGES
from services.trainer.pages.job_form import JobForm, field_problems
from services.trainer.pages.own_run import own_run
from services.trainer.service.job_options import JobOptions
from services.trainer.service.job_preview import JobPreview, Preview
from services.trainer.service.run_store import RunStore
from shared.pages import is_fragment
from shared.security import Key

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True)
class Outlook:
    """What the job would do, or the problems of each field; `refusal` belongs to no field."""

    preview: Preview | None = None
    problems: dict[str, str] = field(default_factory=dict[str, str])
    refusal: str = ""


@get("/new")
async def new_job(
    request: AnyRequest,
    store: NamedDependency[RunStore],
    options: NamedDependency[JobOptions],
    previews: NamedDependency[JobPreview],
    base_models: NamedDependency[tuple[str, ...]],
    like: FromQuery[str | None] = None,
    step: FromQuery[int | None] = None,
) -> Response[bytes]:
    """The form. `like` fills it in as an earlier job; with `step` the new job goes on from that checkpoint."""
    key: Key = request.state.key
    datasets, suites = await options.datasets(key), await options.names("suite", key)
    form = JobForm.of(request)
    if like is not None:
        start = {"start_job": like, "start_step": str(step)} if step else {}
        form = JobForm.like(await own_run(store, like, key), **start).ticking(suites)
    elif not form.values["training_file"] or not form.values["model"]:
        file_id = form.values["training_file"] or (datasets[0].ready.file_id if datasets else "")
        model = form.values["model"] or next(iter(base_models), "")
        form = JobForm({**form.values, "training_file": file_id, "model": model}, form.suites)
    values: dict[str, Any] = {
        "datasets": datasets,
        "base_models": base_models,
        "suites": suites,
        "policies": await options.names("policy", key),
        "form": form,
        "out_of_band": False,
        "outlook": await _outlook(previews, form, key),
    }
    return PAGES.page(request, "new_job.html.j2", at="train", **values)


@get("/new/plan")
async def new_job_plan(request: AnyRequest, previews: NamedDependency[JobPreview]) -> Response[bytes]:
    """What each "auto" becomes for the form as it is filled in now; the page's address keeps what was typed."""
    form = JobForm.of(request)
    outlook = await _outlook(previews, form, request.state.key)
    response = PAGES.fragment(request, "new_job_plan.html.j2", out_of_band=True, form=form, outlook=outlook)
    if is_fragment(request):
        query = request.scope["query_string"].decode("latin-1")
        response.headers["hx-replace-url"] = f"/console/trainer/new?{query}"
    return response


async def _outlook(previews: JobPreview, form: JobForm, key: Key) -> Outlook:
    if not form.values["training_file"] or not form.values["model"]:
        return Outlook()
    try:
        return Outlook(preview=await previews.of(form.values["training_file"], form.spec(), key))
    except ValidationError as error:
        return Outlook(problems=field_problems(error))
    except PlanRefused as refused:
        if refused.param is None or refused.param not in form.values:
            return Outlook(refusal=str(refused))
        return Outlook(problems={refused.param: str(refused)})
