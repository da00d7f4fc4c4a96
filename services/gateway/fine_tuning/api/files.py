"""`/v1/files`."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from typing import Annotated, Any, BinaryIO

from litestar import MediaType, Request, Response, Router, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, HeaderParameter
from litestar.response import Stream

from services.gateway.common.api.listing import listing
from services.gateway.common.api.openapi_schema import asks_for
from services.gateway.common.domain import ids
from services.gateway.common.domain.errors import BadRequest
from services.gateway.fine_tuning.api import objects, upload_form
from services.gateway.fine_tuning.domain import upload_request
from services.gateway.fine_tuning.service.files import Files
from shared.artifacts import ArtifactError
from shared.events import Artifact
from shared.store import Cursor
from shared.web import allow

AnyRequest = Request[Any, Any, Any]
IdempotencyKey = Annotated[str | None, HeaderParameter(name="Idempotency-Key", max_length=255)]
_CHUNK_BYTES = 1024 * 1024
_FORM = {
    "type": "object",
    "properties": {
        "file": {"type": "string", "format": "binary"},
        **{name: {"type": "string"} for name in sorted(upload_request.FIELDS)},
    },
    "required": ["file", "purpose"],
    "additionalProperties": False,
}


@post("/", operation_class=asks_for(_FORM, media_type="multipart/form-data"), request_max_body_size=None)
async def upload(
    request: AnyRequest,
    files: NamedDependency[Files],
    max_file_bytes: NamedDependency[int],
    idempotency_key: IdempotencyKey = None,
) -> Response[Any]:
    """Upload a file to train on: multipart, with `file`, `purpose=fine-tune`, and how to read and split it."""
    key = request.state.key
    async with upload_form.received(request, upload_form.file_field(max_file_bytes)) as form:
        asked = upload_request.read(form.fields)
        file_id = ids.new_id("file", key.id, idempotency_key)
        stored = await files.upload(form.path, form.filename, asked, key, file_id)
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
    """One file, with the status of its check."""
    return objects.file(await files.get(file_id, request.state.key))


@get("/{file_id:str}/content")
async def content(request: AnyRequest, file_id: FromPath[str], files: NamedDependency[Files]) -> Stream:
    """The content of a file, exactly as it was uploaded."""
    artifact, opened = await files.content(file_id, request.state.key)
    headers = {"X-Content-Type-Options": "nosniff", "Content-Length": str(artifact.bytes)}
    # Never a type that a browser would render.
    return Stream(_checked(artifact, opened), media_type="application/octet-stream", headers=headers)


@delete("/{file_id:str}", status_code=200, media_type=MediaType.JSON)
async def removed(request: AnyRequest, file_id: FromPath[str], files: NamedDependency[Files]) -> dict[str, Any]:
    """Delete a file and its content; jobs that train on it continue."""
    await files.delete(file_id, request.state.key)
    return {"id": file_id, "object": "file", "deleted": True}


async def _checked(artifact: Artifact, opened: BinaryIO) -> AsyncGenerator[bytes]:
    """The file in pieces. The last piece is sent only if the digest is right, so a damaged file arrives incomplete."""
    digest, last = hashlib.sha256(), b""
    with opened:
        while piece := await asyncio.to_thread(opened.read, _CHUNK_BYTES):
            if last:
                yield last
            digest.update(piece)
            last = piece
    if digest.hexdigest() != artifact.sha256:
        raise ArtifactError(f"artifact sha256:{artifact.sha256} is damaged: its content has another digest")
    yield last


routes = Router(
    "/v1/files", route_handlers=[upload, listed, one, content, removed], guards=[allow("train")], tags=["files"]
)
