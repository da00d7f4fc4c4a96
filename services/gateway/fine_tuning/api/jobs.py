"""`/v1/fine_tuning/jobs`."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from services.gateway.common.api.json_body import json_body
from services.gateway.common.api.listing import listing
from services.gateway.common.api.openapi_schema import asks_for
from services.gateway.fine_tuning.api import objects
from services.gateway.fine_tuning.api.files import IdempotencyKey
from services.gateway.fine_tuning.domain import job_request
from services.gateway.fine_tuning.service.jobs import Jobs
from shared.store import Cursor
from shared.web import allow

AnyRequest = Request[Any, Any, Any]


@post("/", operation_class=asks_for(job_request.JobRequest))
async def create(
    request: AnyRequest, jobs: NamedDependency[Jobs], idempotency_key: IdempotencyKey = None
) -> Response[Any]:
    """Create a fine-tuning job."""
    asked = job_request.read(await json_body(request))
    job = await jobs.create(asked, request.state.key, idempotency_key)
    request.state.object_id = job.id
    return Response(objects.job(job), status_code=200)


@get("/")
async def listed(
    request: AnyRequest,
    jobs: NamedDependency[Jobs],
    after: FromQuery[str | None] = None,
    limit: FromQuery[int | None] = None,
) -> dict[str, Any]:
    """The caller's jobs, newest first; `metadata[key]=value` or `metadata=null` filters them."""
    cursor = Cursor.of(after, limit, default=20, largest=100)
    metadata = job_request.metadata_filter(request.query_params.multi_items())
    return listing(await jobs.page(cursor, request.state.key, metadata), objects.job)


@get("/{job_id:str}")
async def one(request: AnyRequest, job_id: FromPath[str], jobs: NamedDependency[Jobs]) -> dict[str, Any]:
    """One job."""
    return objects.job(await jobs.get(job_id, request.state.key))


@post("/{job_id:str}/cancel", status_code=200)
async def cancel(request: AnyRequest, job_id: FromPath[str], jobs: NamedDependency[Jobs]) -> dict[str, Any]:
    """Stop a job."""
    return objects.job(await jobs.cancel(job_id, request.state.key))


@post("/{job_id:str}/pause", status_code=200)
async def pause(request: AnyRequest, job_id: FromPath[str], jobs: NamedDependency[Jobs]) -> dict[str, Any]:
    """Pause a job after its current step."""
    return objects.job(await jobs.pause(job_id, request.state.key))


@post("/{job_id:str}/resume", status_code=200)
async def resume(request: AnyRequest, job_id: FromPath[str], jobs: NamedDependency[Jobs]) -> dict[str, Any]:
    """Resume a paused job."""
    return objects.job(await jobs.resume(job_id, request.state.key))


@get("/{job_id:str}/events")
async def events(
    request: AnyRequest,
    job_id: FromPath[str],
    jobs: NamedDependency[Jobs],
    after: FromQuery[str | None] = None,
    limit: FromQuery[int | None] = None,
) -> dict[str, Any]:
    """What happened to a job, newest first."""
    cursor = Cursor.of(after, limit, default=20, largest=1000)
    return listing(await jobs.events(job_id, cursor, request.state.key), objects.message)


@get("/{job_id:str}/checkpoints")
async def checkpoints(
    request: AnyRequest,
    job_id: FromPath[str],
    jobs: NamedDependency[Jobs],
    after: FromQuery[str | None] = None,
    limit: FromQuery[int | None] = None,
) -> dict[str, Any]:
    """A job's checkpoints, newest first."""
    cursor = Cursor.of(after, limit, default=10, largest=100)
    return listing(await jobs.checkpoint_page(job_id, cursor, request.state.key), objects.checkpoint)


routes = Router(
    "/v1/fine_tuning/jobs",
    route_handlers=[create, listed, one, cancel, pause, resume, events, checkpoints],
    guards=[allow("train")],
    tags=["fine-tuning"],
)
