"""One audit log for all services: each state-changing request becomes an `audit.recorded` event."""

import secrets
import time
from typing import Any

from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from shared import telemetry
from shared.events import AuditRecorded
from shared.security import Key
from shared.store import BaseStore

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_log = telemetry.logger(__name__)


class AuditMiddleware(ASGIMiddleware):
    """Saves the audit event before the response is sent, so that each visible change has its entry.

    Unauthenticated requests are not audited; requests that lack a scope are.
    """

    def __init__(self, service: str, store: BaseStore) -> None:
        self._service = service
        self._store = store

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            await next_app(scope, receive, send)
            return

        async def send_when_recorded(message: Any) -> None:
            if message["type"] == "http.response.start":
                await self._record(scope, message["status"])
            await send(message)

        await next_app(scope, receive, send_when_recorded)

    async def _record(self, scope: Any, status: int) -> None:
        key: Key | None = scope.get("state", {}).get("key")
        if key is None:
            return
        entry = entry_of(self._service, scope, key, status)
        try:
            await self._store.emit([entry])
        except Exception as error:
            # The request has already had its effect, so it is answered; the entry is left to this process's log.
            _log.error("audit entry not saved", entry=entry.model_dump(), exc_info=error)


def entry_of(service: str, scope: Any, key: Key, status: int) -> AuditRecorded:
    """The audit entry of a request; a route handler may name the object in `state.object_id`."""
    now = time.time()
    path_params = scope.get("path_params") or {}
    return AuditRecorded(
        entry_id=f"audit-{int(now * 1e6):x}-{secrets.token_hex(4)}",
        service=service,
        key_id=key.id,
        key_name=key.name,
        action=f"{scope['method']} {scope.get('path_template') or scope['path']}",
        path=scope["path"],
        object_id=str(scope["state"].get("object_id") or next(iter(path_params.values()), "")),
        status=status,
        request_id=telemetry.trace_id_of(telemetry.current_traceparent()),
        client=str((scope.get("client") or ("",))[0]),
        at=now,
    )
