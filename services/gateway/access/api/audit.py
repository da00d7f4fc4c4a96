"""`/v1/audit_logs`."""

from typing import Any

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from services.gateway.access.domain.audit_entry import AuditEntry
from services.gateway.access.service.audit_log import AuditLog
from services.gateway.common.api.listing import listing
from shared.store import Cursor
from shared.web import allow


@get("/")
async def listed(
    audit_log: NamedDependency[AuditLog],
    after: FromQuery[str | None] = None,
    limit: FromQuery[int | None] = None,
    key_id: FromQuery[str | None] = None,
    action: FromQuery[str | None] = None,
    object_id: FromQuery[str | None] = None,
    service: FromQuery[str | None] = None,
) -> dict[str, Any]:
    """Requests of all services, the newest first; filtered by key, action, object or service."""
    wanted = {"key_id": key_id, "action": action, "object_id": object_id, "service": service}
    fields = {name: value for name, value in wanted.items() if value is not None}
    return listing(await audit_log.page(Cursor.of(after, limit, default=20, largest=100), **fields), _shown)


def _shown(entry: AuditEntry) -> dict[str, Any]:
    return {"object": "audit_log", **entry.model_dump(exclude={"at"}), "created_at": int(entry.at)}


routes = Router("/v1/audit_logs", route_handlers=[listed], guards=[allow("admin")], tags=["audit"])
