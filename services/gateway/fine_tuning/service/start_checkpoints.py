"""What a job starts from: a base model, or a checkpoint of an earlier job of the same owner."""

from collections.abc import Container
from dataclasses import dataclass

from services.gateway.common.domain.errors import BadRequest, no_model
from services.gateway.fine_tuning.domain.checkpoint import Checkpoint
from services.gateway.fine_tuning.domain.job import Job
from shared.events import Candidate, TrainingSpec
from shared.security import Key
from shared.store import Collection


@dataclass(frozen=True)
class StartCheckpoints:
    """Resolves `model` as OpenAI's callers may fill it in: a base model, a fine-tuned one, or a checkpoint."""

    base_models: Container[str]
    jobs: Collection[Job]
    checkpoints: Collection[Checkpoint]

    async def resolve(self, spec: TrainingSpec, key: Key) -> TrainingSpec:
        """The spec over a base model; raises `Missing` or `BadRequest` for an unknown model or one of another key."""
        asked = spec.hyperparameters
        if spec.base_model in self.base_models:
            if asked.start_job is not None and not await self._owns(asked.start_job, key):
                message = f"There is no job {asked.start_job!r} to start from."
                raise BadRequest(message, param="start_job", code="invalid_value")
            return spec
        made = await self._made(spec.base_model, key)
        if made is None:
            raise no_model(spec.base_model)
        for param in ("start_job", "start_step"):
            if getattr(asked, param) is not None:
                message = (
                    f"'model' {spec.base_model!r} already names the checkpoint to start from; leave out {param!r}."
                )
                raise BadRequest(message, param=param, code="invalid_value")
        start = asked.model_copy(update={"start_job": made.job_id, "start_step": made.step})
        return spec.model_copy(update={"base_model": made.base_model, "hyperparameters": start})

    async def _made(self, name: str, key: Key) -> Candidate | None:
        """The checkpoint with this name, or the one that the fine-tuned model with this name comes from."""
        for found in await self.checkpoints.find(model_name=name, saved=True):
            if await self._owns(found.job_id, key):
                return found.candidate
        for job in await self.jobs.find(fine_tuned_model=name, status="succeeded"):
            if key.owns(job.owner):
                return job.candidate
        return None

    async def _owns(self, job_id: str, key: Key) -> bool:
        job = await self.jobs.get(job_id)
        return job is not None and key.owns(job.owner)
