"""Admin, audit: who changed what, with which outcome."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from services.gateway.access.service.audit_log import AuditLog
from services.gateway.console.pages.admin import admin_page
from shared.store import Cursor, CursorError, Page
from shared.web import allow

AnyRequest = Request[Any, Any, Any]
PAGE_SIZE = 50
SERVICES = ("gateway", "ingest", "trainer", "evaluator", "review")


@get("/audit", guards=[allow("admin")])
async def audit_page(
    request: AnyRequest,
    audit_log: NamedDependency[AuditLog],
    service: FromQuery[str] = "",
    key_id: FromQuery[str] = "",
    object_id: FromQuery[str] = "",
    action: FromQuery[str] = "",
    after: FromQuery[str] = "",
) -> Response[bytes]:
    """A page of the log, the newest first; each field of the filter must be equal."""
    asked = {"service": service, "key_id": key_id, "object_id": object_id, "action": action}
    wanted = {name: value.strip() for name, value in asked.items() if value.strip()}
    try:
        found = await audit_log.page(Cursor(after or None, PAGE_SIZE), **wanted)
    except CursorError:
        found = Page[Any](items=(), has_more=False)
    values: dict[str, Any] = {"entries": found.items, "more": found.has_more, "asked": asked, "after": after}
    return admin_page(request, "audit", filtered=bool(wanted or after), services=SERVICES, **values)
