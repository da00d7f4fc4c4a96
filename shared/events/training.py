"""Events of a training: queued, progress, checkpoints, end."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.bounds import MaxEntries
from shared.cloudevents import EventData
from shared.events.bounded_texts import Id, Name, Reason
from shared.events.candidate import Candidate
from shared.events.hyperparameters import Hyperparameters
from shared.events.measurements import TrainingMetrics
from shared.events.values import Artifact, Failure, Split


class TrainingQueued(EventData):
    """A job has its data and waits for a trainer; these events are the trainers' work queue.

    `turn` is 0 the first time; after a pause it is the `change` of the resume. `hyperparameters` are those that the
    job uses, with a figure for each "auto".
    """

    type: ClassVar[str] = "training.queued"
    job_id: Id
    turn: int = Field(default=0, ge=0)
    hyperparameters: Hyperparameters | None = None

    def aggregate_id(self) -> str:
        return self.job_id

    def natural_key(self) -> str:
        return f"{self.job_id}/{self.turn}" if self.turn else self.job_id


class TrainingProgress(EventData):
    """One step of a running job. `estimated_finish` is in Unix seconds."""

    type: ClassVar[str] = "training.progress"
    is_progress: ClassVar[bool] = True
    job_id: Id
    attempt: int
    step: int
    total_steps: int
    metrics: TrainingMetrics
    trained_tokens: int = 0
    message: Reason = ""
    estimated_finish: int | None = None

    def aggregate_id(self) -> str:
        return self.job_id

    def natural_key(self) -> str:
        return f"{self.job_id}/{self.attempt}/{self.step}"


class CheckpointSaved(EventData):
    """A checkpoint is complete in the artifact store. `state` is what a trainer needs to resume from it.

    `train` holds the training rows, with which the evaluator checks questions for contamination. `validation` holds
    the questions on which checkpoints are compared; None if there is nothing to choose between, so that the checkpoint
    is answered on the test split at once.
    """

    type: ClassVar[str] = "checkpoint.saved"
    candidate: Candidate
    total_steps: int
    metrics: TrainingMetrics
    test: Split
    state: Artifact | None = None
    train: Split | None = None
    validation: Split | None = None

    def aggregate_id(self) -> str:
        return self.candidate.job_id

    def natural_key(self) -> str:
        return f"{self.candidate.job_id}/{self.candidate.step}"


class TrainingFinished(EventData):
    """The training of a job ended; `checkpoints` are the saved steps.

    `trainable_share` is the share of trained parameters, adapters included; None if no model was loaded.
    `stop_reason` says why it ended before its last step; `best_step` is the checkpoint with the best score so far.
    """

    type: ClassVar[str] = "training.finished"
    job_id: Id
    status: Literal["succeeded", "failed", "cancelled"]
    checkpoints: Annotated[tuple[int, ...], MaxEntries(1000)] = ()
    trained_tokens: int = 0
    duration_s: float = 0.0
    peak_memory_bytes: int = 0
    error: Failure | None = None
    trainable_share: float | None = None
    stop_reason: Reason | None = None
    best_step: int | None = None

    def aggregate_id(self) -> str:
        return self.job_id


class JobEnded(EventData):
    """A fine-tuning job ended for its caller: its model can be called or waits for reviewers, or the job failed."""

    type: ClassVar[str] = "job.ended"
    job_id: Id
    status: Literal["succeeded", "failed", "cancelled"]
    fine_tuned_model: Name | None = None
    error: Failure | None = None
    owner: Id = ""

    def aggregate_id(self) -> str:
        return self.job_id
