"""The events that access control subscribes to."""

from services.gateway.access.service.audit_log import AuditLog
from shared.bus import Bus
from shared.events import AuditRecorded


def subscribe(bus: Bus, audit_log: AuditLog) -> None:
    """One use case for each event."""
    bus.subscribe(AuditRecorded, audit_log.recorded, side_by_side=True)
