"""One run: what it is about to do, does or did, with its curve."""

from typing import Any
from urllib.parse import quote

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from services.trainer.pages import PAGES
from services.trainer.pages.own_run import own_run
from services.trainer.pages.run_values import run_values
from services.trainer.service.curve_cache import CurveCache
from services.trainer.service.job_options import JobOptions
from services.trainer.service.run_store import RunStore

AnyRequest = Request[Any, Any, Any]


@get("/jobs/{job_id:str}")
async def run_page(
    request: AnyRequest,
    job_id: FromPath[str],
    store: NamedDependency[RunStore],
    curves: NamedDependency[CurveCache],
    options: NamedDependency[JobOptions],
    new: FromQuery[bool] = False,
) -> Response[bytes]:
    """The page; a `new` job may not have arrived yet."""
    if new and await store.runs.get(job_id) is None:
        return PAGES.page(request, "run_awaited.html.j2", at="train", job_id=job_id)
    run = await own_run(store, job_id, request.state.key)
    curve = await curves.curve(run)
    values = run_values(run, curve.points, curve.losses)
    values["filenames"] = await options.filenames([run.request.training_file])
    return PAGES.page(request, "run.html.j2", at="train", out_of_band=False, **values)


@get("/jobs/{job_id:str}/arrived")
async def run_arrived(request: AnyRequest, job_id: FromPath[str], store: NamedDependency[RunStore]) -> Response[None]:
    """Leads to the page of a new job once the trainer has it."""
    if await store.runs.get(job_id) is None:
        return Response(None, status_code=204)
    return Response(None, status_code=204, headers={"hx-redirect": f"/console/trainer/jobs/{quote(job_id)}"})


@get("/jobs/{job_id:str}/checkpoints")
async def run_checkpoints(
    request: AnyRequest, job_id: FromPath[str], store: NamedDependency[RunStore]
) -> Response[bytes]:
    """All checkpoints of a run, in the order of training."""
    run = await own_run(store, job_id, request.state.key)
    return PAGES.fragment(request, "checkpoint_rows.html.j2", run=run, checkpoints=run.checkpoints)
