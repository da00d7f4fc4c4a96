"""`/v1/files`."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from litestar import MediaType, Request, Response, Router, delete, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, HeaderParameter

from services.gateway.common.api.listing import listing
from services.gateway.common.domain.errors import BadRequest
from services.gateway.fine_tuning.api import objects
from services.gateway.fine_tuning.service.files import Files
from shared.store import Cursor
from shared.web import allow

AnyRequest = Request[Any, Any, Any]
IdempotencyKey = Annotated[str | None, HeaderParameter(name="Idempotency-Key", max_length=255)]


@post("/")
async def upload(
    request: AnyRequest, files: NamedDependency[Files], idempotency_key: IdempotencyKey = None
) -> Response[Any]:
    """Upload a file to train on: multipart, with `file` and `purpose=fine-tune`."""
    form = await request.form()
    sent, purpose = form.get("file"), form.get("purpose")
    if not isinstance(sent, UploadFile):
        raise BadRequest("Missing required parameter: 'file'.", param="file", code="missing_required_parameter")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        await asyncio.to_thread(_spill, sent.file, path)
        await sent.close()
        stored = await files.upload(path, sent.filename, str(purpose), request.state.key, idempotency_key)
    request.state.object_id = stored.id
    return Response(objects.file(stored), status_code=200)


@get("/")
async def listed(
    request: AnyRequest,
    files: NamedDependency[Files],
    after: FromQuery[str | None] = None,
    limit: FromQuery[int | None] = None,
    purpose: FromQuery[str | None] = None,
    order: FromQuery[str] = "desc",
) -> dict[str, Any]:
    """The caller's files, newest first unless `order=asc`."""
    if order not in ("asc", "desc"):
        raise BadRequest("'order' must be 'asc' or 'desc'.", param="order", code="invalid_value")
    cursor = Cursor.of(after, limit, default=10_000, largest=10_000)
    page = await files.page(cursor, purpose, request.state.key, oldest_first=order == "asc")
    return listing(page, objects.file)


@get("/{file_id:str}")
async def one(request: AnyRequest, file_id: FromPath[str], files: NamedDependency[Files]) -> dict[str, Any]:
    """One file, and whether its lines were found good."""
    return objects.file(await files.get(file_id, request.state.key))


@get("/{file_id:str}/content")
async def content(request: AnyRequest, file_id: FromPath[str], files: NamedDependency[Files]) -> Response[bytes]:
    """What was uploaded, byte by byte."""
    _, found = await files.content(file_id, request.state.key)
    # Never a type that a browser would render.
    return Response(found, media_type="application/octet-stream", headers={"X-Content-Type-Options": "nosniff"})


@delete("/{file_id:str}", status_code=200, media_type=MediaType.JSON)
async def removed(request: AnyRequest, file_id: FromPath[str], files: NamedDependency[Files]) -> dict[str, Any]:
    """Take a file off the list; jobs that train on it go on."""
    await files.delete(file_id, request.state.key)
    return {"id": file_id, "object": "file", "deleted": True}


def _spill(source: BinaryIO, path: Path) -> None:
    source.seek(0)
    with path.open("wb") as target:
        shutil.copyfileobj(source, target)


def routes(max_file_bytes: int) -> Router:
    """The routes; a body may be larger here than elsewhere."""
    handlers = [upload, listed, one, content, removed]
    # Room for the form around the file.
    limit = max_file_bytes + 64 * 1024
    return Router(
        "/v1/files", route_handlers=handlers, guards=[allow("train")], request_max_body_size=limit, tags=["files"]
    )
