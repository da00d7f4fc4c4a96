"""A training run: the state of one fine-tuning job in the trainer, and its state transitions."""

from typing import Any, Literal, Self

from services.trainer.domain.precision import Precision
from services.trainer.domain.remaining_time import AttemptStart
from services.trainer.domain.rows.run_data import RunData
from services.trainer.domain.stopping.interruption import Cause, Interruption
from services.trainer.domain.stopping.stop_by_scores import CheckpointScores, best_step, stop_reason
from services.trainer.domain.stopping.stop_by_validation import EarlyStop, Validation, early_stop
from services.trainer.domain.training_plan import TrainingPlan
from services.trainer.domain.worker_messages import CheckpointWritten, JobFinished, JobStopped, Prepared, StateSaved
from shared.events import Failure, TrainingFinished, TrainingQueued, TrainingRequested, Value
from shared.lease import Lease

Status = Literal["validating_files", "queued", "running", "paused", "succeeded", "failed", "cancelled"]
MAX_CRASHES_WITHOUT_PROGRESS = 3
_MAX_INTERRUPTIONS = 50
LEASE_S = 15.0
"""Lifetime of a trainer's lease on a run; well below the 20 s after which its event is delivered again."""


class TrainingRun(Value):
    """State of one job; every method returns the changed run. Times are Unix seconds, durations are seconds.

    `attempt` counts the leases; only the newest attempt may write. `leased_by` identifies the trainer that holds the
    lease, `leased_until` is the time after which any trainer may claim the run. `traceparent` is its events' trace.
    """

    id: str
    request: TrainingRequested
    status: Status = "validating_files"
    plan: TrainingPlan | None = None
    data: RunData | None = None
    attempt: int = 0
    leased_by: str = ""
    leased_until: float = 0.0
    crashes: int = 0
    """Crashes of the worker since the last checkpoint."""
    cancel_requested: bool = False
    pause_requested: bool = False
    control_number: int = 0
    """The number of the latest pause or resume request that was applied."""
    saved: StateSaved | None = None
    checkpoints: tuple[CheckpointWritten, ...] = ()
    validations: tuple[Validation, ...] = ()
    evaluations: tuple[CheckpointScores, ...] = ()
    best_step: int | None = None
    """The checkpoint with the best score so far."""
    stop_reason: str | None = None
    """Why the run ends before its last planned step."""
    trained_tokens: int = 0
    duration_s: float = 0.0
    peak_memory_bytes: int = 0
    trainable_share: float | None = None
    """Share of the model's parameters (adapters included) that is trained; None before the first step."""
    precision: Precision | None = None
    """Number formats of the newest attempt."""
    interruptions: tuple[Interruption, ...] = ()
    interrupted_by: Cause = "trainer_left"
    """Why the next attempt will be needed, unless the run ends before."""
    machine: str = ""
    """The name of the machine of the newest attempt."""
    on_gpu: bool | None = None
    """Whether that attempt measured the GPU's memory; None if it did not say."""
    began: AttemptStart | None = None
    """Where that attempt began to train; None while it loads the model."""
    error: Failure | None = None
    created_at: int = 0
    started_at: int | None = None
    paused_at: int | None = None
    paused_s: float = 0.0
    finished_at: int | None = None
    traceparent: str | None = None

    @property
    def lease(self) -> Lease:
        return Lease(holder=self.leased_by, expires_at=self.leased_until, attempt=self.attempt)

    @property
    def ended(self) -> bool:
        return self.status in ("succeeded", "failed", "cancelled")

    @property
    def needs_trainer(self) -> bool:
        """False once the run has ended or is paused."""
        return not self.ended and self.status != "paused"

    @property
    def must_stop(self) -> bool:
        """Whether it is to end before its last step."""
        return self.cancel_requested or self.stop_reason is not None

    @property
    def crashed_too_often(self) -> bool:
        return self.crashes > MAX_CRASHES_WITHOUT_PROGRESS

    @property
    def auto_stop(self) -> EarlyStop | None:
        """What its validations decided; None if it goes on to its last step."""
        return early_stop(self.validations, self.plan.total_steps) if self.plan and self.plan.early_stopping else None

    @property
    def files(self) -> dict[str, str]:
        """The ids of the datasets that it needs, by use."""
        named = {"training_file": self.request.training_file, "validation_file": self.request.validation_file}
        named["general_file"] = self.request.spec.hyperparameters.general_file
        return {use: file_id for use, file_id in named.items() if file_id}

    @property
    def queue_order(self) -> tuple[int, float, str]:
        """Sort key of the queue: highest priority first, then oldest."""
        return -self.request.spec.priority, self.request.requested_at or self.created_at, self.id

    @property
    def resume_from(self) -> CheckpointWritten | StateSaved | None:
        """Where the next attempt resumes: the newest checkpoint, or the state that was saved after it."""
        places = [*self.checkpoints[-1:], *([self.saved] if self.saved else [])]
        return max(places, key=lambda place: place.step) if places else None

    def is_claimable(self, now: float) -> bool:
        """Whether any trainer may claim it: it is queued, or its lease has expired."""
        return self.status == "queued" or (self.status == "running" and self.lease.is_free(now))

    def owned_by(self, attempt: int) -> bool:
        """Whether this attempt may still write."""
        return self.status == "running" and self.attempt == attempt

    def queue(self, plan: TrainingPlan, data: RunData) -> Self:
        """Plan and data are decided; a run with a pending pause request is paused."""
        queued = self.model_copy(update={"status": "queued", "plan": plan, "data": data})
        return queued.pause(self.created_at) if self.pause_requested else queued

    def queued_event(self, turn: int = 0) -> TrainingQueued:
        """Says that it waits for a trainer, and with which hyperparameters."""
        used = self.plan.used(self.request.spec.hyperparameters) if self.plan else None
        return TrainingQueued(job_id=self.id, turn=turn, hyperparameters=used)

    def start(self, leased_by: str, now: float) -> Self:
        """A trainer starts a new attempt, from the queue or after another trainer's lease expired."""
        lease = self.lease.claim(leased_by, now, LEASE_S)
        assert lease is not None, "only a claimable run is started"
        started: dict[str, Any] = {"status": "running", "began": None, "interrupted_by": "trainer_left"}
        started["started_at"] = self.started_at or int(now)
        if self.attempt:
            step = self.resume_from.step if self.resume_from else 0
            interruption = Interruption(step=step, cause=self.interrupted_by, at=int(now))
            started["interruptions"] = (*self.interruptions, interruption)[-_MAX_INTERRUPTIONS:]
        return self._with(lease).model_copy(update=started)

    def claim(self, leased_by: str, now: float) -> Self:
        """A trainer claims a waiting run: it starts, or a pending stop or pause request is carried out."""
        if self.must_stop:
            return self.stop(JobStopped(), int(now))
        return self.pause(int(now)) if self.pause_requested else self.start(leased_by, now)

    def renew(self, now: float) -> Self:
        return self._with(self.lease.renew(self.leased_by, now, LEASE_S))

    def release(self) -> Self:
        """End the lease: any trainer may claim the run."""
        return self._with(self.lease.release(self.leased_by))

    def _with(self, lease: Lease) -> Self:
        fields = {"leased_by": lease.holder, "leased_until": lease.expires_at, "attempt": lease.attempt}
        return self.model_copy(update=fields)

    def add_scores(self, scores: CheckpointScores) -> Self:
        """Record a checkpoint's scores, replacing earlier ones of the same step, and apply the stopping rules."""
        asked = self.request.spec.hyperparameters
        evaluations = (*(known for known in self.evaluations if known.step != scores.step), scores)
        best = best_step(evaluations, asked.early_stopping_metric)
        changed = self.model_copy(update={"evaluations": evaluations, "best_step": best})
        if self.ended or self.stop_reason is not None:
            return changed
        return changed.model_copy(update={"stop_reason": stop_reason(evaluations, asked)})

    def request_pause(self, number: int, now: int) -> Self:
        """A queued run pauses at once, a running one when its worker has saved its state."""
        if self.ended or number <= self.control_number:
            return self
        requested = self.model_copy(update={"control_number": number, "pause_requested": True})
        return requested.pause(now) if self.status == "queued" else requested

    def request_resume(self, number: int, now: int) -> Self:
        """A paused run is queued again."""
        if self.ended or number <= self.control_number:
            return self
        requested = self.model_copy(update={"control_number": number, "pause_requested": False})
        if self.status != "paused":
            return requested
        paused_s = self.paused_s + (now - self.paused_at if self.paused_at and self.started_at else 0)
        return requested.model_copy(update={"status": "queued", "paused_at": None, "paused_s": paused_s})

    def request_cancel(self) -> Self:
        return self.model_copy(update={"cancel_requested": True})

    def pause(self, now: int) -> Self:
        paused = {"status": "paused", "paused_at": now, "leased_until": 0.0, "interrupted_by": "pause"}
        return self.model_copy(update=paused)

    def add_saved_state(self, saved: StateSaved) -> Self:
        return self.model_copy(update={"saved": saved})

    def add_checkpoint(self, written: CheckpointWritten) -> Self:
        """Record a checkpoint; a repeated step keeps the checkpoint of the earlier attempt."""
        if any(known.step == written.step for known in self.checkpoints):
            return self
        return self.model_copy(update={"checkpoints": (*self.checkpoints, written), "crashes": 0})

    def add_validation(self, validation: Validation) -> Self:
        """Record a validation; a repeated step replaces the earlier one."""
        others = (known for known in self.validations if known.step != validation.step)
        ordered = sorted((*others, validation), key=lambda known: known.step)
        return self.model_copy(update={"validations": tuple(ordered)})

    def prepared(self, worker: Prepared) -> Self:
        """The worker of the newest attempt has loaded the model."""
        names = ("trainable_share", "precision", "machine", "on_gpu", "began")
        return self.model_copy(update={name: getattr(worker, name) for name in names})

    def add_crash(self) -> Self:
        return self.model_copy(update={"crashes": self.crashes + 1, "interrupted_by": "crash"})

    def succeed(self, usage: JobFinished, now: int) -> Self:
        used = {"trained_tokens": usage.trained_tokens, "peak_memory_bytes": usage.peak_memory_bytes}
        return self._end("succeeded", now).model_copy(update={**used, "stop_reason": usage.stop_reason})

    def stop(self, stopped: JobStopped, now: int) -> Self:
        """End before the last step: cancelled, or succeeded with its checkpoints if a stopping rule applied."""
        used = {"trained_tokens": stopped.trained_tokens, "peak_memory_bytes": stopped.peak_memory_bytes}
        return self._end("cancelled" if self.cancel_requested else "succeeded", now).model_copy(update=used)

    def fail(self, error: Failure, now: int) -> Self:
        return self._end("failed", now).model_copy(update={"error": error})

    def cancel(self, now: int) -> Self:
        return self._end("cancelled", now)

    def _end(self, status: Status, now: int) -> Self:
        duration_s = (self.paused_at or now) - self.started_at - self.paused_s if self.started_at is not None else 0.0
        return self.model_copy(update={"status": status, "finished_at": now, "duration_s": duration_s})

    def finished_event(self) -> TrainingFinished:
        """Raises `ValueError` unless the run has ended."""
        if self.status not in ("succeeded", "failed", "cancelled"):
            raise ValueError(f"run {self.id} has not ended: it is {self.status}")
        figures = self.model_dump(include={*TrainingFinished.model_fields} - {"job_id", "checkpoints"})
        steps = tuple(written.step for written in self.checkpoints)
        return TrainingFinished.model_validate({**figures, "job_id": self.id, "checkpoints": steps})
