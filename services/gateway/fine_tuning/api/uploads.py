"""`/v1/uploads`: large files in parts."""

from typing import Any

from litestar import Request, Response, Router, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from services.gateway.common.api.json_body import json_body
from services.gateway.common.api.openapi_schema import asks_for
from services.gateway.fine_tuning.api import objects, upload_form
from services.gateway.fine_tuning.api.files import IdempotencyKey
from services.gateway.fine_tuning.domain.uploads import upload_body
from services.gateway.fine_tuning.domain.uploads.upload import MAX_PART_BYTES
from services.gateway.fine_tuning.service.uploads import Uploads
from shared.web import allow

AnyRequest = Request[Any, Any, Any]
_PART = upload_form.FileField(
    name="data",
    max_bytes=MAX_PART_BYTES,
    limit=f"a part has at most {MAX_PART_BYTES} bytes",
    check_other=upload_body.check_part_field,
)
_PART_FORM = {
    "type": "object",
    "properties": {"data": {"type": "string", "format": "binary"}},
    "required": ["data"],
    "additionalProperties": False,
}


@post("/", operation_class=asks_for(upload_body.UploadBody))
async def create(
    request: AnyRequest, uploads: NamedDependency[Uploads], idempotency_key: IdempotencyKey = None
) -> Response[Any]:
    """Begin an upload in parts; it takes parts for an hour."""
    body = upload_body.read_body(await json_body(request))
    made = await uploads.create(body, request.state.key, idempotency_key)
    request.state.object_id = made.id
    return Response(objects.upload(made, uploads.now()), status_code=200)


@post(
    "/{upload_id:str}/parts",
    operation_class=asks_for(_PART_FORM, media_type="multipart/form-data"),
    request_max_body_size=None,
)
async def add_part(
    request: AnyRequest,
    upload_id: FromPath[str],
    uploads: NamedDependency[Uploads],
    idempotency_key: IdempotencyKey = None,
) -> Response[Any]:
    """Add a part: multipart, with `data`. Parts can be sent in any order, also at the same time."""
    known = await uploads.get(upload_id, request.state.key)
    known.require_pending(uploads.now())
    async with upload_form.received(request, _PART) as form:
        part = await uploads.add_part(upload_id, form.path, request.state.key, idempotency_key)
    return Response(objects.upload_part(part, upload_id), status_code=200)


@post("/{upload_id:str}/complete", status_code=200, operation_class=asks_for(upload_body.Completion))
async def complete(request: AnyRequest, upload_id: FromPath[str], uploads: NamedDependency[Uploads]) -> dict[str, Any]:
    """Join the parts, in this order, to a file."""
    asked = upload_body.read_completion(await json_body(request))
    with upload_form.full_disk_is_unavailable():
        done, file = await uploads.complete(upload_id, asked, request.state.key)
    return objects.upload(done, uploads.now(), file)


@post("/{upload_id:str}/cancel", status_code=200)
async def cancel(request: AnyRequest, upload_id: FromPath[str], uploads: NamedDependency[Uploads]) -> dict[str, Any]:
    """End an upload that is not completed; its parts are removed."""
    return objects.upload(await uploads.cancel(upload_id, request.state.key), uploads.now())


routes = Router(
    "/v1/uploads", route_handlers=[create, add_part, complete, cancel], guards=[allow("train")], tags=["files"]
)
