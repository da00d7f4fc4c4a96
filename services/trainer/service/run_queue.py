"""The queue of runs that wait for a trainer."""

import time
from dataclasses import dataclass
from uuid import uuid4

from services.trainer.domain.training_run import TrainingRun
from services.trainer.ports import RunArchive
from services.trainer.service.run_lease import RunLease
from services.trainer.service.run_store import RunStore
from shared.store import Decision


@dataclass(frozen=True)
class RunQueue:
    """Highest priority first, then oldest."""

    store: RunStore
    archive: RunArchive

    async def claim(self) -> RunLease | None:
        """Claim the first run that waits; None if there is none."""
        for run in sorted(await self.store.unfinished(), key=lambda run: run.queue_order):
            if run.is_claimable(time.time()) and (lease := await self._claim(run.id)):
                return lease
        return None

    async def _claim(self, job_id: str) -> RunLease | None:
        """Start a new attempt, unless another trainer was faster or the run has ended."""
        archived = await self.archive.find(job_id)
        leased_by, now = uuid4().hex, time.time()

        def decide(run: TrainingRun) -> Decision[TrainingRun] | None:
            if not run.is_claimable(now):
                return None
            claimed = archived[0] if archived is not None else run.claim(leased_by, now)
            return claimed, [claimed.finished_event()] if claimed.ended else []

        run = await self.store.runs.change(job_id, decide)
        if run is not None and run.ended and archived is None:
            await self.archive.keep(run, await self.store.curve(job_id))
        return RunLease(self.store, self.archive, run) if run is not None and run.leased_by == leased_by else None
