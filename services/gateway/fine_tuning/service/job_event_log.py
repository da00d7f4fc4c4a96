"""The event lists of all jobs: append and read."""

from dataclasses import dataclass

from services.gateway.fine_tuning.domain.job_event import JobEvent
from shared.fact_time import fact_time
from shared.store import Collection, Cursor, Page


@dataclass(frozen=True)
class JobEventLog:
    """The event lists of all jobs."""

    views: Collection[JobEvent]

    async def append(self, event: JobEvent) -> None:
        """Add an entry. Its id is fixed, so a retry writes it only once."""
        await self.views.create(JobEvent.model_validate({**event.model_dump(), "at": fact_time()}))

    async def page(self, job_id: str, cursor: Cursor) -> Page[JobEvent]:
        """The events of a job, newest first."""
        return await self.views.page(cursor, job_id=job_id)
