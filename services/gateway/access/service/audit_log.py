"""The audit log: written, read, and never changed."""

from dataclasses import dataclass
from typing import Any

from services.gateway.access.domain.audit_entry import AuditEntry
from shared import telemetry
from shared.store import Collection, Cursor, Page

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class AuditLog:
    """The use cases over the log; there is none that changes an entry or takes one away."""

    views: Collection[AuditEntry]

    async def write(self, entry: AuditEntry) -> None:
        """Keep an entry, or leave it to the process's own log: what was done is done."""
        try:
            await self.views.create(entry)
        except Exception as error:
            _log.error("audit entry not kept", entry=entry.model_dump(), exc_info=error)

    async def page(self, cursor: Cursor, **fields: Any) -> Page[AuditEntry]:
        """Entries with these fields, the newest first."""
        return await self.views.page(cursor, **fields)
