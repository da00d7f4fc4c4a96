"""A checkpoint's evaluation as it is stored, and its progress."""

from pydantic import BaseModel, Field

from shared.events import Artifact, EvalDone, Score


class Evaluation(BaseModel):
    """One checkpoint's evaluation; `id` is `<job>/<step>`. `evaluated_at` is in Unix seconds.

    `train` holds the rows that the checkpoint was trained on, if they are known.
    """

    id: str
    job_id: str
    step: int
    evaluated_at: float
    done: EvalDone
    train: Artifact | None = None


class Progress(BaseModel):
    """The progress of a checkpoint's evaluation; `id` is the evaluation's. The test split's name is empty."""

    id: str
    scores: dict[str, dict[str, Score]] = Field(default_factory=dict)
    """By set of questions, then metric."""
    waiting: tuple[str, ...] = ()
    owner: str = ""
    """Id of the key that owns the job."""
