"""Writes an audit entry for each authenticated request that could change something."""

from typing import Any

from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from services.gateway.access.service.audit_log import AuditLog
from shared.security import Key
from shared.web.audit import SAFE_METHODS, entry_of


class AuditMiddleware(ASGIMiddleware):
    """Writes the entry before the answer is sent: a reader who sees the change can read who made it."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
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
        if key is not None:
            await self._log.write(entry_of("gateway", scope, key, status))
