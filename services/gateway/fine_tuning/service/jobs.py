"""Jobs: asked for, shown, cancelled."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.gateway.common.domain import ids
from services.gateway.common.domain.errors import BadRequest, Missing
from services.gateway.common.domain.ownership import within_reach
from services.gateway.fine_tuning.domain import job_event
from services.gateway.fine_tuning.domain.checkpoint import Checkpoint
from services.gateway.fine_tuning.domain.job import Job, labels, wanted_labels, with_facts, with_pause
from services.gateway.fine_tuning.domain.job_event import JobEvent
from services.gateway.fine_tuning.domain.job_request import JobRequest
from services.gateway.fine_tuning.domain.uploaded_file import UploadedFile
from services.gateway.fine_tuning.service.alias_ownership import AliasOwnership
from services.gateway.fine_tuning.service.holdings import Holdings
from services.gateway.fine_tuning.service.job_checks import JobChecks
from services.gateway.fine_tuning.service.job_event_log import JobEventLog
from services.gateway.fine_tuning.service.start_checkpoints import StartCheckpoints
from shared.cloudevents import EventData
from shared.events import (
    DatasetReady,
    TrainingCancelRequested,
    TrainingPauseRequested,
    TrainingRequested,
    TrainingResumeRequested,
)
from shared.security import Key
from shared.store import Collection, Cursor, Page

_ANY: Mapping[str, str] = {}


@dataclass(frozen=True)
class Jobs:
    """The use cases over fine-tuning jobs."""

    views: Collection[Job]
    files: Collection[UploadedFile]
    checkpoints: Collection[Checkpoint]
    log: JobEventLog
    start_checkpoints: StartCheckpoints
    max_lora_rank: int
    aliases: AliasOwnership
    checks: JobChecks
    holdings: Holdings

    async def create(self, asked: JobRequest, key: Key, idempotency_key: str | None = None) -> Job:
        """Ask for a job; the view and the request for its training are one write.

        Raises `NotPermitted` for more unfinished jobs than the key allows.
        """
        job_id = ids.new_id("ftjob", key.id, idempotency_key)
        if await self.views.get(job_id) is None:
            await self.holdings.check_job(key)
        spec = await self.start_checkpoints.resolve(asked.spec(), key)
        if asked.suffix and asked.suffix in self.start_checkpoints.base_models:
            raise BadRequest(
                "'suffix' is the name of a base model; choose another one.", param="suffix", code="invalid_value"
            )
        wanted = spec.hyperparameters
        if (wanted.lora_rank or 0) > self.max_lora_rank:
            reason = f"'lora_rank' can be at most {self.max_lora_rank}, the largest rank that the engines serve."
            raise BadRequest(reason, param="lora_rank", code="invalid_value")
        file = await self._file(asked.training_file, "training_file", key)
        if asked.validation_file:
            await self._file(asked.validation_file, "validation_file", key)
        if wanted.general_file:
            await self._file(wanted.general_file, "general_file", key)
        spec = await self.checks.resolve(spec, key)
        await self.checks.refuse(spec, file.ready)
        await self.aliases.claim(asked.suffix, key, "suffix")
        now = time.time()
        event = TrainingRequested(
            job_id=job_id,
            training_file=file.id,
            validation_file=asked.validation_file,
            spec=spec,
            owner=key.person,
            created_at=int(now),
            requested_at=now,
        )
        digest = ids.digest(asked.model_dump(mode="json"))
        view = Job(
            id=event.job_id,
            at=now,
            request_digest=digest,
            owner=key.person,
            known=True,
            requested=event,
            labels=labels(event.spec.metadata),
            traceparent=file.traceparent,
        )
        if not await self.views.create(view, [event]):
            return await self._same(view.id, digest, key)
        await self.log.append(job_event.requested(event))
        return await self.look_at_files(view)

    async def look_at_files(self, job: Job) -> Job:
        """Fail a job whose file was found bad before the job was known; else list what its caller should know."""
        assert job.requested is not None
        for param in ("training_file", "validation_file"):
            file = await self.files.get(getattr(job.requested, param) or "")
            if file and file.failure:
                return await self.fail(job.id, file, param) or job
        file = await self.files.get(job.requested.training_file)
        if file and file.ready:
            return await self.warn(job, file.ready, file.at)
        return job

    async def warn(self, job: Job, file: DatasetReady, uploaded_at: float) -> Job:
        """List what the check of its training file advises, as events of the job."""
        assert job.requested is not None
        found = await self.checks.warnings(job.requested.spec, file, uploaded_at)
        for text in found:
            await self.log.append(job_event.warned(job.id, text))
        changed = await self.views.change(job.id, lambda known: (known.model_copy(update={"warnings": found}), ()))
        return changed or job

    async def fail(self, job_id: str, file: UploadedFile, param: str) -> Job | None:
        """End a job because of its file."""
        assert file.failure is not None
        failure = file.failure.model_copy(update={"param": param, "code": f"invalid_{param}"})
        job = await self.views.change(job_id, lambda job: with_facts(job, time.time(), bad_file=failure))
        if job and job.status == "failed":
            await self.log.append(job_event.failed(job_id, failure.message))
        return job

    async def get(self, job_id: str, key: Key) -> Job:
        """A job of this key; raises `Missing` for one of another key."""
        found = await self.views.get(job_id)
        if found is None or not found.known or not key.owns(found.owner):
            raise Missing(f"Could not find fine tune: {job_id}", param="fine_tuning_job_id", code="fine_tune_not_found")
        return found

    async def page(self, cursor: Cursor, key: Key, metadata: Mapping[str, str] | None = _ANY) -> Page[Job]:
        """This key's jobs with these metadata; None for those without any."""
        labels_wanted = wanted_labels(metadata)
        where: dict[str, Any] = {**within_reach(key), **({"labels__all": labels_wanted} if labels_wanted else {})}
        return await self.views.page(cursor, known=True, **where)

    async def cancel(self, job_id: str, key: Key) -> Job:
        """Stop a job that is not over."""
        job = await self.get(job_id, key)
        if job.over and not job.cancelled:
            raise _completed(job)

        def decide(job: Job) -> tuple[Job, list[EventData]] | None:
            if job.over:
                return None
            cancelled, ended = with_facts(job, time.time(), cancelled=True)
            return cancelled, [TrainingCancelRequested(job_id=job_id), *ended]

        changed = await self.views.change(job_id, decide) or job
        if changed.cancelled:
            await self.log.append(job_event.cancelled(job_id))
        return changed

    async def pause(self, job_id: str, key: Key) -> Job:
        """Pause a job after its current step at its next step; one that is paused stays so."""
        return await self._hold(job_id, True, key)

    async def resume(self, job_id: str, key: Key) -> Job:
        """Resume a paused job."""
        return await self._hold(job_id, False, key)

    async def _hold(self, job_id: str, paused: bool, key: Key) -> Job:
        job = await self.get(job_id, key)
        if job.over:
            raise _completed(job)

        def decide(job: Job) -> tuple[Job, list[EventData]] | None:
            changed = with_pause(job, paused, job.change + 1) if job.paused != paused else None
            if changed is None:
                return None
            event = TrainingPauseRequested if paused else TrainingResumeRequested
            return changed, [event(job_id=job_id, change=changed.change)]

        changed = await self.views.change(job_id, decide) or job
        if changed.change:
            await self.log.append(job_event.paused_or_resumed(job_id, changed.paused, changed.change))
        return changed

    async def events(self, job_id: str, cursor: Cursor, key: Key) -> Page[JobEvent]:
        await self.get(job_id, key)
        return await self.log.page(job_id, cursor)

    async def checkpoint_page(self, job_id: str, cursor: Cursor, key: Key) -> Page[Checkpoint]:
        await self.get(job_id, key)
        return await self.checkpoints.page(cursor, job_id=job_id, saved=True)

    async def all_checkpoints(self, job_id: str, key: Key) -> tuple[Job, list[Checkpoint]]:
        """A job and all of its checkpoints by step, with their scores."""
        job = await self.get(job_id, key)
        found = await self.checkpoints.find(job_id=job_id)
        return job, sorted(found, key=lambda c: c.step)

    async def _file(self, file_id: str, param: str, key: Key) -> UploadedFile:
        found = await self.files.get(file_id)
        if found is None or not found.known or not key.owns(found.owner):
            raise BadRequest(f"Invalid file ID: {file_id}", param=param, code="invalid_file_id")
        if found.is_result:
            message = f"{file_id} holds the metrics of a job. Name a file that was uploaded with purpose 'fine-tune'."
            raise BadRequest(message, param=param, code="invalid_file_id")
        return found

    async def _same(self, job_id: str, digest: str, key: Key) -> Job:
        known = await self.get(job_id, key)
        if known.request_digest != digest:
            raise BadRequest(
                "This Idempotency-Key was used with another request; send a new key.", code="idempotency_key_reused"
            )
        return known


def _completed(job: Job) -> BadRequest:
    message = f"Job has already completed: {job.id} is {job.status}"
    return BadRequest(message, param="fine_tuning_job_id", code="invalid_state")
