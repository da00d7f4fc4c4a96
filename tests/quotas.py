"""Limits that no test reaches by accident."""

from services.gateway.common.domain.quotas import Quotas
from shared.security import Key

QUOTAS = Quotas(open_jobs=1_000, files=100_000, stored_bytes=1024**4, events_per_minute=600)


async def every_event(_key: Key) -> None:
    """Every key may post any number of events."""
