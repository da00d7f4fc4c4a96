"""What the training process tells the trainer, one message a line."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from shared.events import Artifact, TrainingMetrics, Value


class Prepared(Value):
    """The model is loaded, and this share of its parameters, adapters included, will be trained."""

    type: Literal["prepared"] = "prepared"
    trainable_share: float


class StepDone(Value):
    """One optimizer step. `trained_tokens` counts all tokens of the job up to here, earlier attempts included."""

    type: Literal["progress"] = "progress"
    step: int
    total_steps: int
    metrics: TrainingMetrics
    trained_tokens: int


class CheckpointWritten(Value):
    """A checkpoint lies whole in the artifact store; `state` holds what is needed to go on from it."""

    type: Literal["checkpoint"] = "checkpoint"
    step: int
    adapter: Artifact
    state: Artifact
    metrics: TrainingMetrics


class JobFinished(Value):
    """The plan's last step is done. `duration_s` is this attempt's."""

    type: Literal["finished"] = "finished"
    trained_tokens: int
    duration_s: float
    peak_memory_bytes: int


class JobFailed(Value):
    """The job cannot succeed, however often it is tried."""

    type: Literal["failed"] = "failed"
    code: str
    message: str


class StateSaved(Value):
    """What is needed to go on from this step lies in the artifact store: no checkpoint, only a place to hold."""

    type: Literal["saved"] = "saved"
    step: int
    state: Artifact


class JobStopped(Value):
    """The process was asked to stop, and did between two steps; `to_hold` when it was asked to save before.

    `trained_tokens` counts as in `StepDone`.
    """

    type: Literal["stopped"] = "stopped"
    to_hold: bool = False
    trained_tokens: int = 0
    peak_memory_bytes: int = 0


JobMessage = Annotated[
    Prepared | StepDone | CheckpointWritten | StateSaved | JobFinished | JobFailed | JobStopped,
    Field(discriminator="type"),
]
_MESSAGES: TypeAdapter[JobMessage] = TypeAdapter(JobMessage)


def parse_message(message: object) -> JobMessage:
    """Raises pydantic's `ValidationError` for what is none of them."""
    return _MESSAGES.validate_python(message)
