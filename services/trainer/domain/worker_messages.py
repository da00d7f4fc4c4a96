"""Messages from the worker process to the trainer, one JSON object per line."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from services.trainer.domain.precision import Precision
from services.trainer.domain.remaining_time import AttemptStart
from services.trainer.domain.stopping.stop_by_validation import Validation
from shared.events import Artifact, TrainingMetrics, Value


class Prepared(Value):
    """The model is loaded; `trainable_share` is the share of its parameters (adapters included) that is trained.

    `machine` is the name of the machine that trains. `on_gpu` and `began` are None in messages of earlier versions.
    """

    type: Literal["prepared"] = "prepared"
    trainable_share: float
    precision: Precision | None = None
    machine: str = ""
    on_gpu: bool | None = None
    began: AttemptStart | None = None


class StepDone(Value):
    """One optimizer step. `trained_tokens` counts all tokens of the job so far, including earlier attempts."""

    type: Literal["progress"] = "progress"
    step: int
    total_steps: int
    metrics: TrainingMetrics
    trained_tokens: int


class Validated(Value):
    """The validation split was scored; `metrics` are those of the step, with the validation figures."""

    type: Literal["validated"] = "validated"
    validation: Validation
    metrics: TrainingMetrics


class CheckpointWritten(Value):
    """A checkpoint is complete in the artifact store; `state` holds what a resumed run needs."""

    type: Literal["checkpoint"] = "checkpoint"
    step: int
    adapter: Artifact
    state: Artifact
    metrics: TrainingMetrics


class StateSaved(Value):
    """What a paused run needs to resume from this step is in the artifact store; it is not a checkpoint."""

    type: Literal["saved"] = "saved"
    step: int
    state: Artifact


class JobFinished(Value):
    """The last step is done, early for `stop_reason`. `duration_s` covers this attempt only."""

    type: Literal["finished"] = "finished"
    trained_tokens: int
    duration_s: float
    peak_memory_bytes: int
    stop_reason: str | None = None


class JobFailed(Value):
    """The job failed for a permanent reason: a retry would fail again."""

    type: Literal["failed"] = "failed"
    code: str
    message: str


class JobStopped(Value):
    """The worker stopped between two steps, as requested; `state_saved` if it saved its state first.

    `trained_tokens` counts as in `StepDone`.
    """

    type: Literal["stopped"] = "stopped"
    state_saved: bool = False
    trained_tokens: int = 0
    peak_memory_bytes: int = 0


class JobInterrupted(Value):
    """An outage ended the attempt; the run is not to blame."""

    type: Literal["interrupted"] = "interrupted"
    reason: str


WorkerMessage = Annotated[
    Prepared
    | StepDone
    | Validated
    | CheckpointWritten
    | StateSaved
    | JobFinished
    | JobFailed
    | JobStopped
    | JobInterrupted,
    Field(discriminator="type"),
]
_MESSAGES: TypeAdapter[WorkerMessage] = TypeAdapter(WorkerMessage)


def parse_message(message: object) -> WorkerMessage:
    """Raises pydantic's `ValidationError` for anything else."""
    return _MESSAGES.validate_python(message)
