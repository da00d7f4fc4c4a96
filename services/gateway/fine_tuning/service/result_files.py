"""Result files: the step metrics of a job whose training has ended."""

import asyncio
from dataclasses import dataclass
from typing import Any

from services.gateway.common.domain.ids import natural_id
from services.gateway.fine_tuning.domain.checkpoint import Checkpoint
from services.gateway.fine_tuning.domain.job import Job
from services.gateway.fine_tuning.domain.job_event import JobEvent
from services.gateway.fine_tuning.domain.step_metrics import step_metrics_csv
from services.gateway.fine_tuning.domain.uploaded_file import RESULTS, UploadedFile
from shared.artifacts import Artifacts
from shared.cloudevents import EventData
from shared.events import Artifact, DatasetUploaded
from shared.fact_time import fact_time
from shared.store import Collection


@dataclass(frozen=True)
class ResultFiles:
    """Writes a job's result file. Events arrive in any order, so a late one writes it again, under the same id."""

    views: Collection[Job]
    files: Collection[UploadedFile]
    job_events: Collection[JobEvent]
    checkpoints: Collection[Checkpoint]
    artifacts: Artifacts

    async def write(self, job_id: str) -> None:
        """Write the file of a job whose training has ended and that has metrics; nothing for other jobs."""
        job = await self.views.get(job_id)
        if job is None or job.requested is None or job.finished is None:
            return
        metrics = await self._metrics(job_id)
        if not metrics:
            return
        artifact = await asyncio.to_thread(self.artifacts.put_bytes, step_metrics_csv(metrics))
        file = await self._save(job, artifact)
        await self.views.change(job_id, lambda job: (job.model_copy(update={"result_file": file.id}), []))

    async def write_again(self, job: Job, step: int) -> None:
        """Write it again if figures of the job's last step arrived after the end of its training."""
        if job.finished and step >= max(job.finished.checkpoints, default=0):
            await self.write(job.id)

    async def _metrics(self, job_id: str) -> list[dict[str, Any]]:
        steps = await self.job_events.find(job_id=job_id, type="metrics", oldest_first="at")
        saved = await self.checkpoints.find(job_id=job_id, saved=True)
        return [event.data for event in steps] + [made.metrics.model_dump() for made in saved if made.metrics]

    async def _save(self, job: Job, artifact: Artifact) -> UploadedFile:
        now = fact_time()
        event = DatasetUploaded(
            file_id=natural_id("file", job.id, RESULTS),
            filename=f"step_metrics-{job.id}.csv",
            purpose=RESULTS,
            artifact=artifact,
            owner=job.owner,
            created_at=int(now),
        )
        empty = UploadedFile(id=event.file_id, at=now, owner=job.owner, known=True)

        def decide(file: UploadedFile) -> tuple[UploadedFile, list[EventData]] | None:
            # The event is not published: ingest does not read this file.
            return None if file.deleted else (file.model_copy(update={"upload": event}), [])

        return await self.files.upsert(empty, decide)
