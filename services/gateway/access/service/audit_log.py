"""The audit log of all services."""

from dataclasses import dataclass
from typing import Any

from services.gateway.access.domain.audit_entry import AuditEntry
from shared import telemetry
from shared.events import AuditRecorded
from shared.store import Collection, Cursor, Page

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class AuditLog:
    """Entries are written and read, never changed or deleted."""

    entries: Collection[AuditEntry]

    async def write(self, event: AuditRecorded) -> None:
        """Write an entry of this gateway; if that fails, the entry goes to this process's own log."""
        try:
            await self.entries.create(AuditEntry.of(event), [event])
        except Exception as error:
            _log.error("audit entry not saved", entry=event.model_dump(), exc_info=error)

    async def recorded(self, event: AuditRecorded) -> None:
        """Add the entry of another service."""
        await self.entries.create(AuditEntry.of(event))

    async def page(self, cursor: Cursor, **fields: Any) -> Page[AuditEntry]:
        """Entries with these fields, the newest first."""
        return await self.entries.page(cursor, **fields)
