"""Appends to the event list of a job."""

import time
from dataclasses import dataclass

from services.gateway.fine_tuning.domain.job_event import JobEvent
from shared.store import Collection


@dataclass(frozen=True)
class JobEventLog:
    """The event lists of all jobs."""

    views: Collection[JobEvent]

    async def append(self, event: JobEvent) -> None:
        """Add an entry. Its id is fixed, so a retry writes it only once."""
        await self.views.create(JobEvent.model_validate({**event.model_dump(), "at": time.time()}))
