"""Keeps the rubric of each job's policy."""

import asyncio
from dataclasses import dataclass

from services.evaluator.evaluation.domain.job_rubric import JobRubric
from shared import telemetry
from shared.events import Artifact, PolicyPinned
from shared.store import Collection

_TRY_EVERY_S = 0.2
_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class JobRubrics:
    """`patience_s` is how long a rubric may take from review to here."""

    store: Collection[JobRubric]
    patience_s: float = 10.0

    async def pinned(self, event: PolicyPinned) -> None:
        """Keep the rubric; the first one of a job stays."""
        await self.store.create(JobRubric(id=event.job_id, rubric=event.rubric))

    async def of_job(self, job_id: str | None) -> Artifact | None:
        """The rubric of a job's policy; None for the default, where review has not pinned a policy."""
        for _ in range(1 + round(self.patience_s / _TRY_EVERY_S) if job_id else 0):
            if (known := await self.store.get(job_id or "")) is not None:
                return known.rubric
            await asyncio.sleep(_TRY_EVERY_S)
        if job_id:
            _log.warning("review pinned no policy; the judge rates by the default rubric", job=job_id)
        return None
