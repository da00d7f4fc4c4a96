"""`/v1/audit_logs`, and the middleware that writes them."""

import secrets
import time
from typing import Any

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.middleware import ASGIMiddleware
from litestar.params import FromQuery
from litestar.types import ASGIApp, Receive, Scope, Send

from services.gateway.access.api.audit_object import audit_entry as as_object
from services.gateway.access.domain import audit_entry
from services.gateway.access.domain.audit_entry import AuditEntry
from services.gateway.access.service.audit_log import AuditLog
from services.gateway.common.api.listing import listing
from shared import telemetry
from shared.security import Key
from shared.store import Cursor
from shared.web import allow


class AuditMiddleware(ASGIMiddleware):
    """Writes an entry before its request is answered: who saw that something was done can read who did it."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if scope["type"] != "http" or scope["method"] in audit_entry.READING:
            await next_app(scope, receive, send)
            return

        async def send_when_written(message: Any) -> None:
            if message["type"] == "http.response.start":
                await self._write(scope, message["status"])
            await send(message)

        await next_app(scope, receive, send_when_written)

    async def _write(self, scope: Any, status: int) -> None:
        key: Key | None = scope.get("state", {}).get("key")
        # Unauthenticated requests are not audited.
        if key is None:
            return
        await self._log.write(_entry(scope, key, status))


def _entry(scope: Any, key: Key, status: int) -> AuditEntry:
    now = time.time()
    named = scope.get("path_params") or {}
    return AuditEntry(
        id=f"audit-{int(now * 1e6):x}-{secrets.token_hex(4)}",
        at=now,
        key_id=key.id,
        key_name=key.name,
        action=f"{scope['method']} {scope.get('path_template') or scope['path']}",
        path=scope["path"][:512],
        object_id=str(scope["state"].get("object_id") or next(iter(named.values()), ""))[:256],
        status=status,
        request_id=telemetry.current_traceparent().split("-")[1],
        client=str((scope.get("client") or ("",))[0]),
    )


@get("/")
async def listed(
    audit_log: NamedDependency[AuditLog],
    after: FromQuery[str | None] = None,
    limit: FromQuery[int | None] = None,
    key_id: FromQuery[str | None] = None,
    action: FromQuery[str | None] = None,
    object_id: FromQuery[str | None] = None,
) -> dict[str, Any]:
    """What keys have done, the newest first; of one key, one action or one object if asked for."""
    wanted = {"key_id": key_id, "action": action, "object_id": object_id}
    fields = {name: value for name, value in wanted.items() if value is not None}
    page = await audit_log.page(Cursor.of(after, limit, default=20, largest=100), **fields)
    return listing(page, as_object)


routes = Router("/v1/audit_logs", route_handlers=[listed], guards=[allow("admin")], tags=["audit"])
