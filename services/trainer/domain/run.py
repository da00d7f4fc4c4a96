"""A run: one training job from its request to its end, and the rules of what may happen to it when."""

from typing import Literal, Self

from services.trainer.domain.feedback import Evaluated, best_step, stop_reason
from services.trainer.domain.messages import CheckpointWritten, JobFinished, JobStopped, StateSaved
from services.trainer.domain.names import checkpoint_name
from services.trainer.domain.plan import TrainingPlan
from shared.events import Artifact, Candidate, Failure, Split, TrainingFinished, TrainingRequested, Value

Status = Literal["validating_files", "queued", "running", "paused", "succeeded", "failed", "cancelled"]
MAX_CRASHES_WITHOUT_PROGRESS = 3
LEASE_S = 15.0
"""How long a trainer holds a run without a sign of life; well below the 20 s after which its event comes again."""


class Start(Value):
    """The checkpoint of an earlier run that a run begins with."""

    job_id: str
    step: int
    state: Artifact
    with_optimizer: bool = False


class RunData(Value):
    """The parts of the data that a run reads, and what it begins with where that is not the base model."""

    train: Split
    validation: Split | None
    test: Split
    general: Split | None = None
    start: Start | None = None


class Run(Value):
    """State of one job; every method returns the changed run. Times are in Unix seconds, durations in seconds.

    `attempt` numbers the trainers that worked on it: who holds an older number has lost the run. `holder` is the last
    of them, and `held_until` when anybody may take the run from it.
    """

    id: str
    request: TrainingRequested
    status: Status = "validating_files"
    plan: TrainingPlan | None = None
    data: RunData | None = None
    attempt: int = 0
    holder: str = ""
    held_until: float = 0.0
    crashes: int = 0
    """Deaths of the training process since the last checkpoint."""
    cancel_requested: bool = False
    pause_wanted: bool = False
    change: int = 0
    """Of the wishes to pause and to go on that were heard, the number of the latest."""
    saved: StateSaved | None = None
    checkpoints: tuple[CheckpointWritten, ...] = ()
    evaluations: tuple[Evaluated, ...] = ()
    best_step: int | None = None
    """The checkpoint with the best score so far."""
    stop_reason: str | None = None
    """Why its scores spoke against going on to its last step."""
    trained_tokens: int = 0
    duration_s: float = 0.0
    peak_memory_bytes: int = 0
    trainable_share: float | None = None
    """Of the model's parameters, adapters included; None before the first step."""
    error: Failure | None = None
    created_at: int = 0
    started_at: int | None = None
    paused_at: int | None = None
    paused_s: float = 0.0
    finished_at: int | None = None

    @property
    def ended(self) -> bool:
        return self.status in ("succeeded", "failed", "cancelled")

    @property
    def files(self) -> dict[str, str]:
        """The datasets that it needs, by what they are for."""
        request = self.request
        named = {"training_file": request.training_file, "validation_file": request.validation_file}
        named["general_file"] = request.spec.hyperparameters.general_file
        return {use: file_id for use, file_id in named.items() if file_id}

    @property
    def at_rest(self) -> bool:
        """Whether no trainer has anything to do for it, as things are."""
        return self.ended or self.status == "paused"

    def waits(self, now: float) -> bool:
        """Whether any trainer may take it: it is queued, or its trainer gave no sign of life for too long."""
        return self.status == "queued" or (self.status == "running" and self.held_until <= now)

    @property
    def turn(self) -> tuple[int, int, str]:
        """Runs that wait are taken in the order of this."""
        return -self.request.spec.priority, self.created_at, self.id

    @property
    def resume_state(self) -> Artifact | None:
        """What the next attempt goes on from: the newest checkpoint, or what was saved behind it to hold."""
        places = [*self.checkpoints[-1:], *([self.saved] if self.saved else [])]
        return max(places, key=lambda place: place.step).state if places else None

    def held_by(self, attempt: int) -> bool:
        """Whether that attempt may still write."""
        return self.status == "running" and self.attempt == attempt

    def queue(self, plan: TrainingPlan, data: RunData) -> Self:
        """The data is there and everything is decided; a run that was to pause meanwhile does so."""
        queued = self.model_copy(update={"status": "queued", "plan": plan, "data": data})
        return queued.pause(self.created_at) if self.pause_wanted else queued

    def begin(self, holder: str, now: float) -> Self:
        """A trainer takes the run, from the queue or from a trainer that is gone."""
        begun = {"status": "running", "attempt": self.attempt + 1, "started_at": self.started_at or int(now)}
        return self.model_copy(update={**begun, "holder": holder, "held_until": now + LEASE_S})

    def take(self, holder: str, now: float) -> Self:
        """What becomes of a run that waits when a trainer comes: training, unless it was to end or to hold."""
        if self.stops:
            return self.stop(JobStopped(), int(now))
        return self.pause(int(now)) if self.pause_wanted else self.begin(holder, now)

    def renew(self, now: float) -> Self:
        """Its trainer is alive."""
        return self.model_copy(update={"held_until": now + LEASE_S})

    def let_go(self) -> Self:
        """Its trainer works on it no more: anybody may take it."""
        return self.model_copy(update={"held_until": 0.0})

    @property
    def stops(self) -> bool:
        """Whether it is to end before its last step."""
        return self.cancel_requested or self.stop_reason is not None

    def score(self, evaluated: Evaluated) -> Self:
        """Note a checkpoint's scores, in place of what was known of it, and what follows from all of them."""
        asked = self.request.spec.hyperparameters
        evaluations = (*(known for known in self.evaluations if known.step != evaluated.step), evaluated)
        best = best_step(evaluations, asked.early_stopping_metric)
        changed = self.model_copy(update={"evaluations": evaluations, "best_step": best})
        if self.ended or self.stop_reason is not None:
            return changed
        return changed.model_copy(update={"stop_reason": stop_reason(evaluations, asked)})

    def stop(self, stopped: JobStopped, now: int) -> Self:
        """It ended before its last step: cancelled, or with what it has when its scores spoke against going on."""
        used = {"trained_tokens": stopped.trained_tokens, "peak_memory_bytes": stopped.peak_memory_bytes}
        return self._end("cancelled" if self.cancel_requested else "succeeded", now).model_copy(update=used)

    def want_pause(self, change: int, now: int) -> Self:
        """Somebody wants it to hold; one that trains does when its trainer has saved its state."""
        if self.ended or change <= self.change:
            return self
        wanted = self.model_copy(update={"change": change, "pause_wanted": True})
        return wanted.pause(now) if self.status == "queued" else wanted

    def want_resume(self, change: int, now: int) -> Self:
        """Somebody wants it to go on."""
        if self.ended or change <= self.change:
            return self
        wanted = self.model_copy(update={"change": change, "pause_wanted": False})
        if self.status != "paused":
            return wanted
        paused_s = self.paused_s + (now - self.paused_at if self.paused_at and self.started_at else 0)
        return wanted.model_copy(update={"status": "queued", "paused_at": None, "paused_s": paused_s})

    def pause(self, now: int) -> Self:
        """It holds; nobody works on it."""
        return self.model_copy(update={"status": "paused", "paused_at": now, "held_until": 0.0})

    def save(self, saved: StateSaved) -> Self:
        return self.model_copy(update={"saved": saved})

    def checkpoint(self, written: CheckpointWritten) -> Self:
        """Note a checkpoint; one of the same step, from an earlier attempt, stays what it was."""
        if any(known.step == written.step for known in self.checkpoints):
            return self
        return self.model_copy(update={"checkpoints": (*self.checkpoints, written), "crashes": 0})

    def prepared(self, share: float) -> Self:
        return self.model_copy(update={"trainable_share": share})

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
        until = self.paused_at or now
        duration_s = until - self.started_at - self.paused_s if self.started_at is not None else 0.0
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
            lora_rank=self.plan.tuning.rank if self.plan.tuning.makes_an_adapter else 0,
            suffix=spec.suffix,
            policy=spec.policy,
            suite=spec.metadata.get("suite"),
            tuning=self.plan.tuning.published_as,
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
            trainable_share=self.trainable_share,
            stop_reason=self.stop_reason,
            best_step=self.best_step,
        )
