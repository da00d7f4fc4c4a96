"""`/v1/webhook_endpoints` and `/v1/webhook_event_types`, as OpenAI's SDK calls them."""

from typing import Any, Literal

from litestar import Request, Router, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from services.gateway.common.api.json_body import json_body, optional_json_body
from services.gateway.common.api.listing import listing
from services.gateway.common.api.openapi_schema import asks_for
from services.gateway.events.api import webhook_objects
from services.gateway.events.domain.webhook import (
    TYPES,
    RotationRequest,
    TestRequest,
    WebhookChange,
    WebhookRequest,
    read,
)
from services.gateway.events.service.webhooks import Webhooks
from shared.store import Cursor
from shared.web import allow

AnyRequest = Request[Any, Any, Any]


@get("/")
async def listed(
    request: AnyRequest,
    webhooks: NamedDependency[Webhooks],
    after: FromQuery[str | None] = None,
    limit: FromQuery[int | None] = None,
) -> dict[str, Any]:
    """The caller's endpoints, newest first."""
    cursor = Cursor.of(after, limit, default=20, largest=100)
    return listing(await webhooks.page(cursor, request.state.key), webhook_objects.webhook)


@post("/", status_code=200, operation_class=asks_for(WebhookRequest))
async def create(request: AnyRequest, webhooks: NamedDependency[Webhooks]) -> dict[str, Any]:
    """Create an endpoint; its signing secret is shown only here."""
    made = await webhooks.create(read(WebhookRequest, await json_body(request)), request.state.key)
    request.state.object_id = made.id
    return {**webhook_objects.webhook(made), "signing_secret": made.secret}


@get("/{webhook_id:str}")
async def one(request: AnyRequest, webhook_id: FromPath[str], webhooks: NamedDependency[Webhooks]) -> dict[str, Any]:
    """One endpoint."""
    return webhook_objects.webhook(await webhooks.get(webhook_id, request.state.key))


@post("/{webhook_id:str}", status_code=200, operation_class=asks_for(WebhookChange))
async def change(request: AnyRequest, webhook_id: FromPath[str], webhooks: NamedDependency[Webhooks]) -> dict[str, Any]:
    """Change an endpoint's name, URL or event types."""
    asked = read(WebhookChange, await json_body(request))
    return webhook_objects.webhook(await webhooks.change(webhook_id, asked, request.state.key))


@delete("/{webhook_id:str}", status_code=200)
async def removed(
    request: AnyRequest, webhook_id: FromPath[str], webhooks: NamedDependency[Webhooks]
) -> dict[str, Any]:
    """Delete an endpoint."""
    await webhooks.delete(webhook_id, request.state.key)
    return {"id": webhook_id, "object": "webhook_endpoint.deleted", "deleted": True}


@post("/{webhook_id:str}/rotate_secret", status_code=200, operation_class=asks_for(RotationRequest, optional=True))
async def rotate(request: AnyRequest, webhook_id: FromPath[str], webhooks: NamedDependency[Webhooks]) -> dict[str, Any]:
    """Give an endpoint a new signing secret, shown only here."""
    asked = read(RotationRequest, await optional_json_body(request))
    changed = await webhooks.rotate(webhook_id, asked, request.state.key)
    return {**webhook_objects.webhook(changed), "signing_secret": changed.secret}


@post("/{webhook_id:str}/test", status_code=200, operation_class=asks_for(TestRequest))
async def test(request: AnyRequest, webhook_id: FromPath[str], webhooks: NamedDependency[Webhooks]) -> dict[str, Any]:
    """Call an endpoint now with a sample event."""
    kind = read(TestRequest, await json_body(request)).event_type
    status = await webhooks.test(webhook_id, kind, request.state.key)
    result = {"event_type": kind, "status_code": status, "success": True}
    return {"object": "webhook_endpoint.test", "webhook_endpoint_id": webhook_id, **result}


@get("/{webhook_id:str}/deliveries")
async def deliveries(
    request: AnyRequest,
    webhook_id: FromPath[str],
    webhooks: NamedDependency[Webhooks],
    after: FromQuery[str | None] = None,
    limit: FromQuery[int | None] = None,
    status: FromQuery[Literal["pending", "delivered", "dead"] | None] = None,
) -> dict[str, Any]:
    """Assay's own: the deliveries of an endpoint, newest first; `status=dead` lists those that were given up."""
    cursor = Cursor.of(after, limit, default=20, largest=100)
    found = await webhooks.calls(webhook_id, status, cursor, request.state.key)
    return listing(found, webhook_objects.delivery)


@post("/{webhook_id:str}/deliveries/{delivery_id:str}/redeliver", status_code=202)
async def redeliver(
    request: AnyRequest, webhook_id: FromPath[str], delivery_id: FromPath[str], webhooks: NamedDependency[Webhooks]
) -> dict[str, Any]:
    """Assay's own: deliver again, from the first try."""
    return webhook_objects.delivery(await webhooks.redeliver(webhook_id, delivery_id, request.state.key))


@get("/", sync_to_thread=False)
def event_types() -> dict[str, Any]:
    """The event types that an endpoint can subscribe to."""
    return {"object": "list", "data": list(TYPES)}


routes = Router(
    "/v1/webhook_endpoints",
    route_handlers=[listed, create, one, change, removed, rotate, test, deliveries, redeliver],
    guards=[allow("train")],
    tags=["webhooks"],
)
type_routes = Router(
    "/v1/webhook_event_types", route_handlers=[event_types], guards=[allow("train")], tags=["webhooks"]
)
