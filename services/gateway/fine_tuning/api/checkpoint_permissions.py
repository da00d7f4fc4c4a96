"""`/v1/fine_tuning/checkpoints/{model}/permissions`; a name may hold slashes, so the end of the path decides."""

from typing import Annotated, Any, Literal
from urllib.parse import unquote

from litestar import Request, Router, delete, get, post
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.common.api.json_body import json_body
from services.gateway.common.api.listing import listing
from services.gateway.common.api.openapi_schema import asks_for
from services.gateway.fine_tuning.service.checkpoint_permissions import CheckpointPermissions
from shared.store import Cursor, Page
from shared.web import allow

END = "/permissions"
AnyRequest = Request[Any, Any, Any]
KeyId = Annotated[str, Field(pattern=r"^key_[0-9a-f]{1,64}$")]


class PermissionRequest(BaseModel):
    """The body. OpenAI names projects; a key takes a project's place here."""

    model_config = ConfigDict(extra="forbid", strict=True)

    project_ids: list[KeyId] = Field(min_length=1, max_length=100)


@post("/{path:path}", status_code=200, operation_class=asks_for(PermissionRequest))
async def give(
    request: AnyRequest, path: FromPath[str], permissions: NamedDependency[CheckpointPermissions]
) -> dict[str, Any]:
    """Let other keys call a checkpoint of this key: `{"project_ids": ["key_…"]}`."""
    model = _model(path)
    asked = PermissionRequest.model_validate(await json_body(request))
    request.state.object_id = model
    return listing(Page(await permissions.give(model, asked.project_ids, request.state.key), False), _shown)


@get("/{path:path}")
async def listed(
    request: AnyRequest,
    path: FromPath[str],
    permissions: NamedDependency[CheckpointPermissions],
    after: FromQuery[str | None] = None,
    limit: FromQuery[int | None] = None,
    order: FromQuery[Literal["ascending", "descending"]] = "descending",
) -> dict[str, Any]:
    """The keys that may call a checkpoint of this key."""
    cursor = Cursor.of(after, limit, default=10, largest=100)
    oldest_first = order == "ascending"
    return listing(await permissions.page(_model(path), cursor, request.state.key, oldest_first=oldest_first), _shown)


@delete("/{path:path}", status_code=200)
async def take(
    request: AnyRequest, path: FromPath[str], permissions: NamedDependency[CheckpointPermissions]
) -> dict[str, Any]:
    """Revoke a permission."""
    rest, _, permission_id = str(path).rpartition("/")
    request.state.object_id = permission_id
    await permissions.take(_model(rest), permission_id, request.state.key)
    return {"id": permission_id, "object": "checkpoint.permission", "deleted": True}


def _shown(view: Any) -> dict[str, Any]:
    return {
        "object": "checkpoint.permission",
        "id": view.id,
        "created_at": int(view.at),
        "project_id": view.key_id,
    }


def _model(path: str) -> str:
    wanted = unquote(str(path)).removeprefix("/")
    if not wanted.endswith(END):
        raise NotFoundException
    return wanted.removesuffix(END)


routes = Router(
    "/v1/fine_tuning/checkpoints", route_handlers=[give, listed, take], guards=[allow("train")], tags=["fine-tuning"]
)
