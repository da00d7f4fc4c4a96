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

AnyRequest = Request[Any, Any, Any]


@post("/")
async def create(
    request: AnyRequest, jobs: NamedDependency[Jobs], idempotency_key: IdempotencyKey = None
) -> Response[Any]:
    """Ask for a fine-tuning job."""
    asked = job_request.read(await json_body(request))
    return Response(objects.job(await jobs.create(asked, request.state.key, idempotency_key)), status_code=200)


@get("/")
async def listed(
    request: AnyRequest,
    jobs: NamedDependency[Jobs],
    after: FromQuery[str | None] = None,
    limit: FromQuery[int | None] = None,
) -> dict[str, Any]:
    """The caller's jobs, newest first."""
    cursor = pages.cursor(after, limit, default=20, largest=100)
    return objects.listing(await jobs.page(cursor, request.state.key), objects.job)


@get("/{job_id:str}")
async def one(request: AnyRequest, job_id: FromPath[str], jobs: NamedDependency[Jobs]) -> dict[str, Any]:
    """One job."""
    return objects.job(await jobs.get(job_id, request.state.key))


@post("/{job_id:str}/cancel", status_code=200)
async def cancel(request: AnyRequest, job_id: FromPath[str], jobs: NamedDependency[Jobs]) -> dict[str, Any]:
    """Stop a job."""
    return objects.job(await jobs.cancel(job_id, request.state.key))


@get("/{job_id:str}/events")
async def events(
    request: AnyRequest,
    job_id: FromPath[str],
    jobs: NamedDependency[Jobs],
    after: FromQuery[str | None] = None,
    limit: FromQuery[int | None] = None,
) -> dict[str, Any]:
    """What happened to a job, newest first."""
    cursor = pages.cursor(after, limit, default=20, largest=1000)
    return objects.listing(await jobs.events(job_id, cursor, request.state.key), objects.message)


@get("/{job_id:str}/checkpoints")
async def checkpoints(
    request: AnyRequest,
    job_id: FromPath[str],
    jobs: NamedDependency[Jobs],
    after: FromQuery[str | None] = None,
    limit: FromQuery[int | None] = None,
) -> dict[str, Any]:
    """A job's checkpoints, newest first."""
    cursor = pages.cursor(after, limit, default=10, largest=100)
    return objects.listing(await jobs.checkpoint_page(job_id, cursor, request.state.key), objects.checkpoint)


@get("/{job_id:str}/report")
async def report(request: AnyRequest, job_id: FromPath[str], jobs: NamedDependency[Jobs]) -> dict[str, Any]:
    """Assay's own: the scores side by side, the verdict with every rule, the deployment."""
    return objects.report(*await jobs.evidence(job_id, request.state.key))


routes = Router(
    "/v1/fine_tuning/jobs",
    route_handlers=[create, listed, one, cancel, events, checkpoints, report],
    guards=[allow("train")],
    tags=["fine-tuning"],
)
