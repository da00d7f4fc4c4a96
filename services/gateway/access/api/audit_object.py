"""An audit entry as a JSON object."""

from typing import Any

from services.gateway.access.domain.audit_entry import AuditEntry


def audit_entry(view: AuditEntry) -> dict[str, Any]:
    return {"object": "audit_log", **view.model_dump(exclude={"at"}), "created_at": int(view.at)}
