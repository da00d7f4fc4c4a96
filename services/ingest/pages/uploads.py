"""The page that uploads a file by the gateway's `/v1/files`, and the page that waits until it is checked."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from services.ingest.pages import PAGES
from services.ingest.pages.example_rows import example_rows
from services.ingest.pages.upload_options import option_choices
from services.ingest.service.datasets import Datasets
from services.ingest.service.templates import Templates
from shared.pages.forms import see_other
from shared.web import NotFound

AnyRequest = Request[Any, Any, Any]
EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "address-extraction" / "train.jsonl"
"""There when the service runs from the repository; pages offer it only then."""


@get("/upload")
async def upload_page(request: AnyRequest, templates: NamedDependency[Templates]) -> Response[bytes]:
    """A drop zone and the options of an upload."""
    choices = option_choices(await templates.of_owner(request.state.key.person, None, 100))
    values: dict[str, Any] = {"choices": choices, "example": EXAMPLE.exists(), "example_rows": example_rows()}
    return PAGES.page(request, "upload.html.j2", at="data", **values)


@get("/files/{file_id:str}")
async def waiting_page(
    request: AnyRequest, file_id: FromPath[str], datasets: NamedDependency[Datasets]
) -> Response[bytes]:
    """What is known of a file until its dataset is there; leads to the dataset as soon as it is."""
    if await _checked(request, datasets, file_id):
        return see_other(_address(file_id))
    return PAGES.page(request, "waiting.html.j2", at="data", file_id=file_id)


@get("/files/{file_id:str}/state")
async def check_state(
    request: AnyRequest, file_id: FromPath[str], datasets: NamedDependency[Datasets]
) -> Response[bytes]:
    """Asked again every second; tells htmx to open the dataset once it is there."""
    response = PAGES.fragment(request, "waiting_state.html.j2", file_id=file_id)
    if await _checked(request, datasets, file_id):
        response.headers["HX-Redirect"] = _address(file_id)
    return response


@get("/begin", sync_to_thread=False)
def begin(request: AnyRequest) -> Response[bytes]:
    """How to begin, for the home page of a person without data: an own file, or the example by one click."""
    return PAGES.fragment(request, "begin.html.j2", example=EXAMPLE.exists())


@get("/example", sync_to_thread=True)
def example() -> Response[bytes]:
    """The example's file, which the page uploads like any other."""
    if not EXAMPLE.exists():
        raise NotFound("the example file is not installed on this server")
    headers = {"content-disposition": 'attachment; filename="address-extraction.jsonl"'}
    return Response(EXAMPLE.read_bytes(), media_type="application/jsonl", headers=headers)


async def _checked(request: AnyRequest, datasets: Datasets, file_id: str) -> bool:
    found = await datasets.get(file_id)
    return found is not None and request.state.key.owns(found.upload.owner)


def _address(file_id: str) -> str:
    return f"/console/ingest/datasets/{quote(file_id, safe='')}"
