"""The list of jobs."""

from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import Parameter

from services.trainer.pages import PAGES
from services.trainer.service.run_store import RunStore

AnyRequest = Request[Any, Any, Any]
PAGE_SIZE = 25
STATUSES = ("validating_files", "queued", "running", "paused", "succeeded", "failed", "cancelled")


@get("/")
async def jobs(
    request: AnyRequest,
    store: NamedDependency[RunStore],
    status: Annotated[str, Parameter(max_length=32)] = "",
    page: Annotated[int, Parameter(ge=1, le=400)] = 1,
) -> Response[bytes]:
    """The newest jobs of this person, of everybody for an administrator; one status if asked for."""
    key = request.state.key
    wanted: dict[str, Any] = {"status": status} if status in STATUSES else {}
    if not key.allows("admin"):
        wanted["request__owner"] = key.person
    found = await store.runs.find(**wanted, newest_first="created_at", limit=page * PAGE_SIZE + 1)
    shown = found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    more = len(found) > page * PAGE_SIZE
    values: dict[str, Any] = {"runs": shown, "chosen": status, "statuses": STATUSES, "page": page, "more": more}
    return PAGES.page(request, "jobs.html.j2", at="train", **values)
