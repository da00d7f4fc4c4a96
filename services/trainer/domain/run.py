"""A run: one training job from its request to its end, and the rules of what may happen to it when."""

from typing import Literal, Self

from services.trainer.domain.messages import CheckpointWritten, JobFinished
from services.trainer.domain.names import checkpoint_name
from services.trainer.domain.plan import TrainingPlan
from shared.events import Artifact, Candidate, Failure, Split, TrainingFinished, TrainingRequested, Value

Status = Literal["validating_files", "queued", "running", "succeeded", "failed", "cancelled"]
MAX_CRASHES_WITHOUT_PROGRESS = 3


class RunData(Value):
    """The parts of the data that a run reads."""

    train: Split
    validation: Split | None
    test: Split


class Run(Value):
    """State of one job; every method returns the changed run. Times are in Unix seconds, durations in seconds.

    `attempt` numbers the trainers that worked on it: who holds an older number has lost the run.
    """

    id: str
    request: TrainingRequested
    status: Status = "validating_files"
    plan: TrainingPlan | None = None
    data: RunData | None = None
    attempt: int = 0
    crashes: int = 0
    """Deaths of the training process since the last checkpoint."""
    cancel_requested: bool = False
    checkpoints: tuple[CheckpointWritten, ...] = ()
    trained_tokens: int = 0
    duration_s: float = 0.0
    peak_memory_bytes: int = 0
    error: Failure | None = None
    created_at: int = 0
    started_at: int | None = None
    finished_at: int | None = None

    @property
    def ended(self) -> bool:
        return self.status in ("succeeded", "failed", "cancelled")

    @property
    def resume_state(self) -> Artifact | None:
        """What the next attempt goes on from."""
        return self.checkpoints[-1].state if self.checkpoints else None

    def held_by(self, attempt: int) -> bool:
        """Whether that attempt may still write."""
        return self.status == "running" and self.attempt == attempt

    def queue(self, plan: TrainingPlan, data: RunData) -> Self:
        """The data is there and everything is decided."""
        return self.model_copy(update={"status": "queued", "plan": plan, "data": data})

    def begin(self, now: int) -> Self:
        """A trainer takes the run, from the queue or from a trainer that is gone."""
        started_at = self.started_at or now
        return self.model_copy(update={"status": "running", "attempt": self.attempt + 1, "started_at": started_at})

    def checkpoint(self, written: CheckpointWritten) -> Self:
        """Note a checkpoint; one of the same step, from an earlier attempt, stays what it was."""
        if any(known.step == written.step for known in self.checkpoints):
            return self
        return self.model_copy(update={"checkpoints": (*self.checkpoints, written), "crashes": 0})

    def crash(self) -> Self:
        """The training process died by itself."""
        return self.model_copy(update={"crashes": self.crashes + 1})

    @property
    def gives_up(self) -> bool:
        return self.crashes > MAX_CRASHES_WITHOUT_PROGRESS

    def request_cancel(self) -> Self:
        return self.model_copy(update={"cancel_requested": True})

    def succeed(self, usage: JobFinished, now: int) -> Self:
        tokens, memory = usage.trained_tokens, usage.peak_memory_bytes
        return self._end("succeeded", now).model_copy(update={"trained_tokens": tokens, "peak_memory_bytes": memory})

    def fail(self, error: Failure, now: int) -> Self:
        return self._end("failed", now).model_copy(update={"error": error})

    def cancel(self, now: int) -> Self:
        return self._end("cancelled", now)

    def _end(self, status: Status, now: int) -> Self:
        duration_s = float(now - self.started_at) if self.started_at is not None else 0.0
        return self.model_copy(update={"status": status, "finished_at": now, "duration_s": duration_s})

    def candidate(self, written: CheckpointWritten, organization: str) -> Candidate:
        """A checkpoint as others score, review and serve it."""
        spec = self.request.spec
        assert self.plan is not None
        return Candidate(
            job_id=self.id,
            step=written.step,
            base_model=spec.base_model,
            model_name=checkpoint_name(spec.base_model, organization, spec.suffix, self.id, written.step),
            adapter=written.adapter,
            lora_rank=self.plan.lora_rank,
            suffix=spec.suffix,
            policy=spec.policy,
            owner=self.request.owner,
        )

    def finished_event(self) -> TrainingFinished:
        """The fact that this run has ended; raises `ValueError` while it has not."""
        if self.status not in ("succeeded", "failed", "cancelled"):
            raise ValueError(f"run {self.id} is {self.status}: it has not ended")
        return TrainingFinished(
            job_id=self.id,
            status=self.status,
            checkpoints=tuple(written.step for written in self.checkpoints),
            trained_tokens=self.trained_tokens,
            duration_s=self.duration_s,
            peak_memory_bytes=self.peak_memory_bytes,
            error=self.error,
        )
