"""Requests to start, cancel, pause and resume a training."""

from typing import ClassVar

from pydantic import Field

from shared.cloudevents import Category, EventData
from shared.events.hyperparameters import TrainingSpec
from shared.events.texts import Id


class TrainingRequested(EventData):
    """Somebody asked for a job. Both times are Unix seconds; `requested_at`, with fractions, orders the queue."""

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
    """Somebody asked for a job to stop."""

    type: ClassVar[str] = "training.cancel_requested"
    category: ClassVar[Category] = "request"
    job_id: Id

    def aggregate_id(self) -> str:
        return self.job_id


class TrainingPauseRequested(EventData):
    """Somebody asked for a job to hold.

    `change` rises with each pause and each resume of a job. The two are heard on ways of their own, perhaps not in
    the order in which they were said: the one with the highest `change` holds.
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
    """Somebody asked for a paused job to go on; `change` is as in `training.pause_requested`."""

    type: ClassVar[str] = "training.resume_requested"
    category: ClassVar[Category] = "request"
    job_id: Id
    change: int = Field(ge=1)

    def aggregate_id(self) -> str:
        return self.job_id

    def natural_key(self) -> str:
        return f"{self.job_id}/{self.change}"
