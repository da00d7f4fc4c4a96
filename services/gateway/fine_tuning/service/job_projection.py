"""Writes the events about jobs into their views and event lists; events may arrive in any order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.gateway.fine_tuning.domain import job_event
from services.gateway.fine_tuning.domain.checkpoint import Checkpoint, checkpoint_id
from services.gateway.fine_tuning.domain.job import Job, labels, with_facts, with_pause
from services.gateway.fine_tuning.domain.job_event import JobEvent
from services.gateway.fine_tuning.service.files import Files
from services.gateway.fine_tuning.service.job_event_log import JobEventLog
from services.gateway.fine_tuning.service.jobs import Jobs
from services.gateway.fine_tuning.service.result_files import ResultFiles
from shared.cloudevents import EventData
from shared.events import (
    Candidate,
    CheckpointSaved,
    DatasetReady,
    DatasetRejected,
    EvalDone,
    ModelApproved,
    ModelDeployed,
    ModelDeploymentFailed,
    ModelRejected,
    ReviewOpened,
    TrainingFinished,
    TrainingPauseRequested,
    TrainingProgress,
    TrainingQueued,
    TrainingRequested,
    TrainingResumeRequested,
)
from shared.fact_time import fact_time
from shared.store import Collection


@dataclass(frozen=True)
class JobProjection:
    """One method for each event about a job."""

    jobs: Jobs
    files: Files
    views: Collection[Job]
    checkpoints: Collection[Checkpoint]
    log: JobEventLog
    results: ResultFiles

    async def rejected_file(self, event: DatasetRejected) -> None:
        """Fail every job that was to train on a bad file."""
        await self.files.rejected(event)
        file = await self.files.views.get(event.file_id)
        assert file is not None
        for param in ("training_file", "validation_file"):
            where: dict[str, Any] = {f"requested__{param}": event.file_id}
            for job in await self.views.find(**where):
                await self.jobs.fail(job.id, file, param)

    async def ready_file(self, event: DatasetReady) -> None:
        """Warn every job on a file that was not checked when the job was created; its end may be known before."""
        await self.files.ready(event)
        file = await self.files.views.get(event.file_id)
        assert file is not None
        where: dict[str, Any] = {"requested__training_file": event.file_id}
        for job in await self.views.find(**where):
            await self.jobs.warn(job, event, file.at)

    async def requested(self, event: TrainingRequested) -> None:
        at = float(event.created_at or int(fact_time()))

        def decide(job: Job) -> tuple[Job, list[Any]] | None:
            if job.requested is not None:
                return None
            known = {"requested": event, "owner": event.owner, "known": True, "at": at}
            return job.model_copy(update={**known, "labels": labels(event.spec.metadata)}), []

        await self.log.append(job_event.requested(event))
        await self.jobs.look_at_files(await self.views.upsert(Job(id=event.job_id), decide))
        await self.results.write(event.job_id)

    async def paused(self, event: TrainingPauseRequested) -> None:
        await self._set_paused(event.job_id, True, event.change)

    async def resumed(self, event: TrainingResumeRequested) -> None:
        await self._set_paused(event.job_id, False, event.change)

    async def _set_paused(self, job_id: str, paused: bool, change: int) -> None:
        """Follow an event that was posted; the pauses that this gateway made are known already."""

        def decide(job: Job) -> tuple[Job, list[Any]] | None:
            return None if (changed := with_pause(job, paused, change)) is None else (changed, [])

        await self.log.append(job_event.paused_or_resumed(job_id, paused, change))
        await self.views.upsert(Job(id=job_id), decide)

    async def queued(self, event: TrainingQueued) -> None:
        used = {"used": event.hyperparameters} if event.hyperparameters else {}
        await self._learn(event.job_id, job_event.queued(event.job_id), queued=True, **used)

    async def progressed(self, event: TrainingProgress) -> None:
        await self.log.append(job_event.started(event.job_id))

        def decide(job: Job) -> tuple[Job, Sequence[EventData]]:
            seen = job.progress
            newest = event if seen is None or (event.attempt, event.step) > (seen.attempt, seen.step) else seen
            return with_facts(job, fact_time(), started=True, progress=newest)

        await self.log.append(job_event.progress(event))
        job = await self.views.upsert(Job(id=event.job_id), decide)
        await self.results.write_again(job, event.step)

    async def checkpoint_saved(self, event: CheckpointSaved) -> None:
        made = event.candidate
        await self.checkpoints.upsert(
            _empty_checkpoint(made), lambda c: (c.model_copy(update={"saved": True, "metrics": event.metrics}), [])
        )
        job = await self._learn(made.job_id, job_event.checkpoint(event), started=True)
        await self.results.write_again(job, made.step)

    async def scored(self, event: EvalDone) -> None:
        await self.checkpoints.upsert(
            _empty_checkpoint(event.candidate),
            lambda c: (c.model_copy(update={"evals": {**c.evals, event.suite: event}}), []),
        )
        await self.log.append(job_event.scored(event))

    async def finished(self, event: TrainingFinished) -> None:
        await self._learn(event.job_id, job_event.finished(event), finished=event)
        await self.results.write(event.job_id)

    async def review_opened(self, event: ReviewOpened) -> None:
        await self._learn(event.candidate.job_id, job_event.review_opened(event), review=event)

    async def approved(self, event: ModelApproved) -> None:
        await self._learn(event.candidate.job_id, job_event.approved(event), approved=event)

    async def rejected(self, event: ModelRejected) -> None:
        await self._learn(event.job_id, job_event.rejected(event), rejected=event)

    async def deployed(self, event: ModelDeployed) -> None:
        await self._learn(event.candidate.job_id, job_event.deployed(event), deployed=event)

    async def not_deployed(self, event: ModelDeploymentFailed) -> None:
        """A version was given up."""
        await self._learn(event.candidate.job_id, job_event.not_deployed(event), undeployed=event)

    async def _learn(self, job_id: str, message: JobEvent, **facts: Any) -> Job:
        # Write the log entry first; its id is fixed, so a retry writes it only once.
        await self.log.append(message)
        return await self.views.upsert(Job(id=job_id), lambda job: with_facts(job, fact_time(), **facts))


def _empty_checkpoint(candidate: Candidate) -> Checkpoint:
    return Checkpoint(
        id=checkpoint_id(candidate),
        at=fact_time(),
        job_id=candidate.job_id,
        step=candidate.step,
        model_name=candidate.model_name,
        candidate=candidate,
    )
