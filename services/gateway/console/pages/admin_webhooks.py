"""Admin, webhooks: endpoints, their deliveries, and delivering again."""

from typing import Any, Literal

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from services.gateway.common.domain.errors import ApiError
from services.gateway.console.pages.actions import status_of
from services.gateway.console.pages.admin import admin_page
from services.gateway.events.domain.webhook import TYPES, RotationRequest, WebhookRequest, read
from services.gateway.events.service.webhooks import Webhooks
from shared.pages.forms import fields, see_other
from shared.store import Cursor, CursorError, Page
from shared.web import allow

AnyRequest = Request[Any, Any, Any]
WebhookUseCases = NamedDependency[Webhooks]
PAGE_SIZE = 50
STATUSES = ("pending", "delivered", "dead")
_TRAIN = [allow("train")]
Act = Literal["test", "redeliver", "rotate", "delete"]


@get("/webhooks", guards=_TRAIN)
async def webhooks_page(
    request: AnyRequest,
    webhooks: WebhookUseCases,
    id: FromQuery[str] = "",
    status: FromQuery[str] = "",
    after: FromQuery[str] = "",
    done: FromQuery[str] = "",
) -> Response[bytes]:
    """The endpoints; one of them opened with its deliveries."""
    return await _page(request, webhooks, opened=id, status=status, after=after, done=done)


@post("/webhooks", guards=_TRAIN)
async def add(request: AnyRequest, webhooks: WebhookUseCases) -> Response[bytes]:
    """Add an endpoint; the answer is the only page that shows its signing secret."""
    typed = await fields(request)
    types = [str(name) for name in (await request.form()).getall("event_types", [])]
    body = {"name": typed.get("name", ""), "url": typed.get("url", ""), "event_types": types}
    try:
        made = await webhooks.create(read(WebhookRequest, body), request.state.key)
    except ApiError as error:
        kept: dict[str, Any] = {"typed": typed, "chosen": types}
        return await _page(request, webhooks, refused=error, status_code=status_of(error), **kept)
    request.state.object_id = made.id
    return await _page(request, webhooks, opened=made.id, secret=made.secret)


@post("/webhooks/{what:str}", guards=_TRAIN)
async def act(request: AnyRequest, what: FromPath[Act], webhooks: WebhookUseCases) -> Response[bytes]:
    """Test an endpoint, give it a new secret, remove it, or deliver again."""
    typed = await fields(request)
    key, webhook_id = request.state.key, typed.get("id", "")
    request.state.object_id = webhook_id
    secret = ""
    try:
        if what == "test":
            await webhooks.test(webhook_id, typed.get("event_type", ""), key)
        elif what == "redeliver":
            await webhooks.redeliver(webhook_id, typed.get("delivery", ""), key)
        elif what == "rotate":
            asked = RotationRequest(keep_old_secret_active_for_24_hours=True)
            secret = (await webhooks.rotate(webhook_id, asked, key)).secret
        else:
            await webhooks.delete(webhook_id, key)
            webhook_id = ""
    except ApiError as error:
        return await _page(request, webhooks, opened=webhook_id, refused=error, status_code=status_of(error))
    if secret:
        return await _page(request, webhooks, opened=webhook_id, secret=secret)
    return see_other("/console/admin/webhooks", id=webhook_id, done=what)


async def _page(
    request: AnyRequest,
    webhooks: Webhooks,
    *,
    opened: str = "",
    status: str = "",
    after: str = "",
    status_code: int = 200,
    **values: Any,
) -> Response[bytes]:
    key = request.state.key
    found = await webhooks.page(Cursor(None, PAGE_SIZE), key)
    hook = next((each for each in found.items if each.id == opened), None)
    wanted = status if status in STATUSES else None
    calls = Page[Any](items=(), has_more=False)
    if hook:
        try:
            calls = await webhooks.calls(hook.id, wanted, Cursor(after or None, PAGE_SIZE), key)
        except CursorError:
            after = ""
    page_values: dict[str, Any] = {
        "webhooks": found.items,
        "more_webhooks": found.has_more,
        "hook": hook,
        "deliveries": calls.items,
        "more": calls.has_more,
        "after": after,
        "wanted": wanted or "",
        "statuses": STATUSES,
        "types": TYPES,
        "typed": {},
        "chosen": ["fine_tuning.job.succeeded", "fine_tuning.job.failed"],
        "secret": "",
    }
    return admin_page(request, "webhooks", status=status_code, **{**page_values, **values})


HANDLERS = (webhooks_page, add, act)
