"""`/v1/keys`."""

from typing import Any

from litestar import Request, Router, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from services.gateway.access.domain import key_request as domain
from services.gateway.access.service.keys import Keys
from services.gateway.common.api.json_body import json_body, optional_json_body
from services.gateway.common.api.openapi_schema import asks_for
from shared.security import Key
from shared.web import allow

AnyRequest = Request[Any, Any, Any]


@get("/")
async def listed(keys: NamedDependency[Keys]) -> dict[str, Any]:
    """Every key, the newest first; never a secret."""
    return {"object": "list", "data": [shown(key) for key in await keys.listed()], "has_more": False}


@post("/", status_code=201, operation_class=asks_for(domain.KeyRequest))
async def create(request: AnyRequest, keys: NamedDependency[Keys]) -> dict[str, Any]:
    """Create a key; its secret is shown only here."""
    key, secret = await keys.create(domain.read_request(await json_body(request)))
    request.state.object_id = key.id
    return {**shown(key), "secret": secret}


@get("/{key_id:str}")
async def one(key_id: FromPath[str], keys: NamedDependency[Keys]) -> dict[str, Any]:
    """One key."""
    return shown(await keys.get(key_id))


@patch("/{key_id:str}", operation_class=asks_for(domain.KeyChange))
async def change(request: AnyRequest, key_id: FromPath[str], keys: NamedDependency[Keys]) -> dict[str, Any]:
    """Change a key's name, scopes, limits or expiry, or disable it; `null` removes a limit."""
    return shown(await keys.change(key_id, domain.read_change(await json_body(request)), request.state.key))


@post("/{key_id:str}/rotate", status_code=200, operation_class=asks_for(domain.Rotation, optional=True))
async def rotate(request: AnyRequest, key_id: FromPath[str], keys: NamedDependency[Keys]) -> dict[str, Any]:
    """Give a key a new secret, shown only here; the old one is accepted for `grace_s` seconds (a day) more."""
    asked = domain.read_rotation(await optional_json_body(request))
    key, secret = await keys.rotate(key_id, asked, request.state.key)
    return {**shown(key), "secret": secret}


@delete("/{key_id:str}", status_code=200)
async def removed(request: AnyRequest, key_id: FromPath[str], keys: NamedDependency[Keys]) -> dict[str, Any]:
    """Delete a key; its files, jobs and models stay, and administrators still see them."""
    await keys.delete(key_id, request.state.key)
    return {"id": key_id, "object": "api_key", "deleted": True}


def shown(key: Key) -> dict[str, Any]:
    """A key without its digests."""
    hidden = {"sha256", "previous_sha256", "previous_until", "deleted"}
    former = {"previous_secret_until": key.previous_until or None}
    return {"object": "api_key", **key.model_dump(mode="json", exclude=hidden), **former}


routes = Router(
    "/v1/keys", route_handlers=[listed, create, one, change, rotate, removed], guards=[allow("admin")], tags=["keys"]
)
