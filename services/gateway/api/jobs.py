"""`/v1/fine_tuning/jobs`."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from services.gateway.api import objects
from services.gateway.api.bodies import json_body
from services.gateway.api.files import IdempotencyKey
from services.gateway.domain import job_request, pages
from services.gateway.service.jobs import Jobs
from shared.web import allow


@post("/")
async def create(
    request: Request[Any, Any, Any], jobs: NamedDependency[Jobs], idempotency_key: IdempotencyKey = None
) -> Response[Any]:
    """Ask for a fine-tuning job."""
    asked = job_request.read(await json_body(request))
    return Response(objects.job(await jobs.create(asked, request.state.key, idempotency_key)), status_code=200)


@get("/")
async def listed(
    jobs: NamedDependency[Jobs], after: FromQuery[str | None] = None, limit: FromQuery[int | None] = None
) -> dict[str, Any]:
    """The jobs, newest first."""
    return objects.listing(await jobs.page(pages.cursor(after, limit, default=20, largest=100)), objects.job)


@get("/{job_id:str}")
async def one(job_id: FromPath[str], jobs: NamedDependency[Jobs]) -> dict[str, Any]:
    """One job."""
    return objects.job(await jobs.get(job_id))


@post("/{job_id:str}/cancel", status_code=200)
async def cancel(job_id: FromPath[str], jobs: NamedDependency[Jobs]) -> dict[str, Any]:
    """Stop a job."""
    return objects.job(await jobs.cancel(job_id))


@get("/{job_id:str}/events")
async def events(
    job_id: FromPath[str],
    jobs: NamedDependency[Jobs],
    after: FromQuery[str | None] = None,
    limit: FromQuery[int | None] = None,
) -> dict[str, Any]:
    """What happened to a job, newest first."""
    cursor = pages.cursor(after, limit, default=20, largest=1000)
    return objects.listing(await jobs.events(job_id, cursor), objects.message)


@get("/{job_id:str}/checkpoints")
async def checkpoints(
    job_id: FromPath[str],
    jobs: NamedDependency[Jobs],
    after: FromQuery[str | None] = None,
    limit: FromQuery[int | None] = None,
) -> dict[str, Any]:
    """A job's checkpoints, newest first."""
    cursor = pages.cursor(after, limit, default=10, largest=100)
    return objects.listing(await jobs.checkpoint_page(job_id, cursor), objects.checkpoint)


@get("/{job_id:str}/report")
async def report(job_id: FromPath[str], jobs: NamedDependency[Jobs]) -> dict[str, Any]:
    """Assay's own: the scores side by side, the verdict with every rule, the deployment."""
    return objects.report(*await jobs.evidence(job_id))


routes = Router(
    "/v1/fine_tuning/jobs",
    route_handlers=[create, listed, one, cancel, events, checkpoints, report],
    guards=[allow("train")],
    tags=["fine-tuning"],
)
