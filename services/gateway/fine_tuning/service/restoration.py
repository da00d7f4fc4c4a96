"""Rebuilds from this gateway's own facts what only it knows: owners of names, permissions, deletions, ends of jobs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.gateway.fine_tuning.domain import job_event
from services.gateway.fine_tuning.domain.alias_owner import AliasOwner
from services.gateway.fine_tuning.domain.checkpoint_permission import CheckpointPermission
from services.gateway.fine_tuning.domain.job import Job, apply_facts
from services.gateway.fine_tuning.service.files import Files
from services.gateway.fine_tuning.service.job_event_log import JobEventLog
from shared.events import AliasClaimed, FileDeleted, JobEnded, PermissionChanged, TrainingCancelRequested
from shared.store import Collection


@dataclass(frozen=True)
class FineTuningRestoration:
    """One method for each fact; in an intact database each changes nothing."""

    alias_owners: Collection[AliasOwner]
    permissions: Collection[CheckpointPermission]
    files: Files
    jobs: Collection[Job]
    log: JobEventLog

    async def alias_claimed(self, event: AliasClaimed) -> None:
        await self.alias_owners.create(AliasOwner(id=event.alias, at=event.at, owner=event.owner))

    async def permission_changed(self, event: PermissionChanged) -> None:
        first = CheckpointPermission(id=event.permission_id, at=event.at, model=event.model, key_id=event.key_id)

        def decide(known: CheckpointPermission) -> tuple[CheckpointPermission, list[Any]] | None:
            if event.at <= known.changed_at:
                return None
            return known.model_copy(update={"removed": event.removed, "changed_at": event.at}), []

        await self.permissions.upsert(first, decide)

    async def file_deleted(self, event: FileDeleted) -> None:
        await self.files.restore_deletion(event)

    async def cancel_requested(self, event: TrainingCancelRequested, at: datetime) -> None:
        def decide(job: Job) -> tuple[Job, list[Any]] | None:
            return None if job.over else (apply_facts(job, at.timestamp(), cancelled=True), [])

        await self.log.append(job_event.cancelled(event.job_id))
        await self.jobs.upsert(Job(id=event.job_id), decide)

    async def job_ended(self, event: JobEnded, at: datetime) -> None:
        """Keep the time of the end. The other facts about the job, which come later, say how it ended."""

        def decide(job: Job) -> tuple[Job, list[Any]] | None:
            known = job.over or job.ended_at is not None
            return None if known else (job.model_copy(update={"ended_at": at.timestamp()}), [])

        await self.jobs.upsert(Job(id=event.job_id), decide)
