"""Requests to start, cancel, pause and resume a training."""

from typing import ClassVar

from pydantic import Field

from shared.cloudevents import Category, EventData
from shared.events.bounded_texts import Id
from shared.events.hyperparameters import TrainingSpec


class TrainingRequested(EventData):
    """A user asked for a job. Both times are Unix seconds; `requested_at`, with fractions, orders the queue."""

    type: ClassVar[str] = "training.requested"
    category: ClassVar[Category] = "request"
    job_id: Id
    training_file: Id
    validation_file: Id | None = None
    spec: TrainingSpec
    owner: Id = ""
    created_at: int = 0
    requested_at: float | None = None

    def aggregate_id(self) -> str:
        return self.job_id


class TrainingCancelRequested(EventData):
    """A user asked to cancel a job."""

    type: ClassVar[str] = "training.cancel_requested"
    category: ClassVar[Category] = "request"
    job_id: Id

    def aggregate_id(self) -> str:
        return self.job_id


class TrainingPauseRequested(EventData):
    """A user asked to pause a job.

    `change` rises with each pause and each resume of a job. The two event types have different consumers and may
    arrive out of order; the one with the highest `change` applies.
    """

    type: ClassVar[str] = "training.pause_requested"
    category: ClassVar[Category] = "request"
    job_id: Id
    change: int = Field(ge=1)

    def aggregate_id(self) -> str:
        return self.job_id

    def natural_key(self) -> str:
        return f"{self.job_id}/{self.change}"


class TrainingResumeRequested(EventData):
    """A user asked to resume a paused job; `change` is as in `training.pause_requested`."""

    type: ClassVar[str] = "training.resume_requested"
    category: ClassVar[Category] = "request"
    job_id: Id
    change: int = Field(ge=1)

    def aggregate_id(self) -> str:
        return self.job_id

    def natural_key(self) -> str:
        return f"{self.job_id}/{self.change}"
