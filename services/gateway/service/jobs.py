"""Jobs: asked for, shown, cancelled."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from services.gateway.domain import messages, names
from services.gateway.domain.job import held, labels, learned, wanted_labels
from services.gateway.domain.job_request import JobRequest
from services.gateway.domain.ownership import within_reach
from services.gateway.domain.pages import Cursor, Page
from services.gateway.domain.refusals import BadRequest, Missing
from services.gateway.ports import CheckpointView, DeploymentView, FileView, JobView, MessageView, Tell, Views
from services.gateway.service.beginnings import Beginnings
from services.gateway.service.claims import Claims
from shared.cloudevents import EventData
from shared.events import (
    TrainingCancelRequested,
    TrainingPauseRequested,
    TrainingRequested,
    TrainingResumeRequested,
)
from shared.security import Key

_ANY: Mapping[str, str] = {}


@dataclass(frozen=True)
class Jobs:
    """The use cases over fine-tuning jobs."""

    views: Views[JobView]
    files: Views[FileView]
    messages: Views[MessageView]
    checkpoints: Views[CheckpointView]
    deployments: Views[DeploymentView]
    tell: Tell
    beginnings: Beginnings
    max_lora_rank: int
    claims: Claims

    async def create(self, asked: JobRequest, key: Key, idempotency_key: str | None = None) -> JobView:
        """Ask for a job; the view and the request for its training are one write."""
        spec = await self.beginnings.resolve(asked.spec(), key)
        if asked.suffix in self.beginnings.base_models:
            raise BadRequest("'suffix' is the name of a base model.", param="suffix", code="invalid_value")
        wanted = spec.hyperparameters
        if (wanted.lora_rank or 0) > self.max_lora_rank:
            reason = f"'lora_rank' can be at most {self.max_lora_rank}: the engines here serve no adapter above it."
            raise BadRequest(reason, param="lora_rank", code="invalid_value")
        file = await self._file(asked.training_file, "training_file", key)
        if asked.validation_file:
            await self._file(asked.validation_file, "validation_file", key)
        if wanted.general_file:
            await self._file(wanted.general_file, "general_file", key)
        await self.claims.take(asked.suffix, key, "suffix")
        now = time.time()
        event = TrainingRequested(
            job_id=names.new_id("ftjob", key.id, idempotency_key),
            training_file=file.id,
            validation_file=asked.validation_file,
            spec=spec,
            owner=key.id,
            created_at=int(now),
            requested_at=now,
        )
        digest = names.digest(asked.model_dump(mode="json"))
        view = JobView(
            id=event.job_id,
            at=now,
            request_digest=digest,
            owner=key.id,
            known=True,
            requested=event,
            labels=labels(event.spec.metadata),
        )
        if not await self.views.create(view, [event]):
            return await self._same(view.id, digest, key)
        await self.tell(messages.requested(event))
        return await self.look_at_files(view)

    async def look_at_files(self, job: JobView) -> JobView:
        """Fail a job whose file was found bad before the job was known."""
        assert job.requested is not None
        for param in ("training_file", "validation_file"):
            file = await self.files.get(getattr(job.requested, param) or "")
            if file and file.failure:
                return await self.fail(job.id, file, param) or job
        return job

    async def fail(self, job_id: str, file: FileView, param: str) -> JobView | None:
        """End a job because of its file."""
        assert file.failure is not None
        failure = file.failure.model_copy(update={"param": param, "code": f"invalid_{param}"})
        job = await self.views.change(job_id, lambda job: learned(job, time.time(), bad_file=failure))
        if job and job.status == "failed":
            await self.tell(messages.failed(job_id, failure.message))
        return job

    async def get(self, job_id: str, key: Key) -> JobView:
        """A job of this key; what is another's is as good as not there."""
        found = await self.views.get(job_id)
        if found is None or not found.known or not key.owns(found.owner):
            raise Missing(f"Could not find fine tune: {job_id}", param="fine_tuning_job_id", code="fine_tune_not_found")
        return found

    async def page(self, cursor: Cursor, key: Key, metadata: Mapping[str, str] | None = _ANY) -> Page[JobView]:
        """This key's jobs with these metadata; None for those without any."""
        return await self.views.page(cursor, labelled=wanted_labels(metadata), known=True, **within_reach(key))

    async def cancel(self, job_id: str, key: Key) -> JobView:
        """Stop a job that is not over."""
        job = await self.get(job_id, key)
        if job.over and not job.cancelled:
            raise _completed(job)

        def decide(job: JobView) -> tuple[JobView, list[EventData]] | None:
            if job.over:
                return None
            cancelled, ended = learned(job, time.time(), cancelled=True)
            return cancelled, [TrainingCancelRequested(job_id=job_id), *ended]

        changed = await self.views.change(job_id, decide) or job
        if changed.cancelled:
            await self.tell(messages.cancelled(job_id))
        return changed

    async def pause(self, job_id: str, key: Key) -> JobView:
        """Let a job hold at its next step; one that is paused stays so."""
        return await self._hold(job_id, True, key)

    async def resume(self, job_id: str, key: Key) -> JobView:
        """Let a paused job go on."""
        return await self._hold(job_id, False, key)

    async def _hold(self, job_id: str, paused: bool, key: Key) -> JobView:
        job = await self.get(job_id, key)
        if job.over:
            raise _completed(job)

        def decide(job: JobView) -> tuple[JobView, list[EventData]] | None:
            changed = held(job, paused, job.change + 1) if job.paused != paused else None
            if changed is None:
                return None
            event = TrainingPauseRequested if paused else TrainingResumeRequested
            return changed, [event(job_id=job_id, change=changed.change)]

        changed = await self.views.change(job_id, decide) or job
        if changed.change:
            await self.tell(messages.held(job_id, changed.paused, changed.change))
        return changed

    async def events(self, job_id: str, cursor: Cursor, key: Key) -> Page[MessageView]:
        await self.get(job_id, key)
        return await self.messages.page(cursor, job_id=job_id)

    async def checkpoint_page(self, job_id: str, cursor: Cursor, key: Key) -> Page[CheckpointView]:
        await self.get(job_id, key)
        return await self.checkpoints.page(cursor, job_id=job_id, saved=True)

    async def evidence(self, job_id: str, key: Key) -> tuple[JobView, list[CheckpointView], DeploymentView | None]:
        """All that led to a job's outcome: the job, its checkpoints by step, and its deployment."""
        job = await self.get(job_id, key)
        found = await self.checkpoints.where(job_id=job_id)
        return job, sorted(found, key=lambda c: c.step), await self.deployments.get(job_id)

    async def _file(self, file_id: str, param: str, key: Key) -> FileView:
        found = await self.files.get(file_id)
        if found is None or not found.known or not key.owns(found.owner):
            raise BadRequest(f"Invalid file ID: {file_id}", param=param, code="invalid_file_id")
        return found

    async def _same(self, job_id: str, digest: str, key: Key) -> JobView:
        known = await self.get(job_id, key)
        if known.request_digest != digest:
            raise BadRequest("This Idempotency-Key was used with another request.", code="idempotency_key_reused")
        return known


def _completed(job: JobView) -> BadRequest:
    message = f"Job has already completed: {job.id} is {job.status}"
    return BadRequest(message, param="fine_tuning_job_id", code="invalid_state")
