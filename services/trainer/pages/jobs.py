"""The list of jobs."""

from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import Parameter

from services.trainer.pages import PAGES
from services.trainer.service.job_options import JobOptions
from services.trainer.service.run_store import RunStore
from shared.store import Cursor

AnyRequest = Request[Any, Any, Any]
PAGE_SIZE = 25
STATUSES = ("validating_files", "queued", "running", "paused", "succeeded", "failed", "cancelled")


@get("/")
async def jobs(
    request: AnyRequest,
    store: NamedDependency[RunStore],
    options: NamedDependency[JobOptions],
    status: Annotated[str, Parameter(max_length=32)] = "",
    after: Annotated[str, Parameter(max_length=64)] = "",
) -> Response[bytes]:
    """The newest jobs of this person, of everybody for an administrator; one status if asked for."""
    key = request.state.key
    wanted: dict[str, Any] = {"status": status} if status in STATUSES else {}
    if not key.allows("admin"):
        wanted["request__owner"] = key.person
    found = await store.runs.page(Cursor(after or None, PAGE_SIZE), by="created_at", **wanted)
    values: dict[str, Any] = {
        "runs": found.items,
        "filenames": await options.filenames(run.request.training_file for run in found.items),
        "more": found.has_more,
        "chosen": status if status in STATUSES else "",
        "statuses": STATUSES,
        "after": after,
    }
    return PAGES.page(request, "jobs.html.j2", at="train", **values)
