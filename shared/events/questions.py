"""Evaluations on request: the proof on a test split, question sets, base models before any training."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from shared.bounds import MaxEntries
from shared.cloudevents import Category, EventData
from shared.events.bounded_texts import Id, Name, Reason
from shared.events.candidate import Candidate
from shared.events.measurements import Comparison, Intervals, Scores
from shared.events.templates import PromptTemplate
from shared.events.values import Artifact, Failure, Split, Value

MAX_MODELS = 4


class EvaluatedModel(Value):
    """A model that answers the questions: a base model by its name, or a checkpoint."""

    name: Name
    base_model: Name
    candidate: Candidate | None = None
    """None for the base model itself."""
    template: PromptTemplate | None = None
    """How the questions are asked; None for the candidate's template, and without one as they are."""


class EvaluationRequested(EventData):
    """A user asked how models answer questions: exactly one of `questions`, `suite` and `split`."""

    type: ClassVar[str] = "evaluation.requested"
    category: ClassVar[Category] = "request"
    evaluation_id: Id
    models: Annotated[tuple[EvaluatedModel, ...], MaxEntries(MAX_MODELS)] = Field(min_length=1)
    questions: Artifact | None = None
    """JSON Lines of `{"messages": [...]}` or `{"question": ..., "answer": ...}`."""
    suite: Name | None = None
    split: Split | None = None
    job_id: Id | None = None
    """The job that the evaluation belongs to."""
    owner: Id = ""
    created_at: int = 0

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.questions, self.suite, self.split)) != 1:
            raise ValueError("give exactly one of questions, suite and split")
        return self

    def aggregate_id(self) -> str:
        return self.evaluation_id


class EvaluationProgress(EventData):
    """`done` of `total` answers of an evaluation were made."""

    type: ClassVar[str] = "evaluation.progress"
    is_progress: ClassVar[bool] = True
    evaluation_id: Id
    attempt: int = Field(default=1, ge=1)
    done: int = Field(ge=0)
    total: int = Field(ge=0)
    message: Reason = ""

    def aggregate_id(self) -> str:
        return self.evaluation_id

    def natural_key(self) -> str:
        return f"{self.evaluation_id}/{self.attempt}/{self.done}"


class ModelScores(Value):
    """The scores of one model."""

    name: Name
    scores: Scores
    intervals: Intervals = Field(default_factory=dict)
    item_errors: int = Field(default=0, ge=0)
    """Questions that the engine refused; they count as empty answers."""


class EvaluationAnswered(EventData):
    """An evaluation ended. `comparisons` are of the first model with each of the others.

    `samples` is a JSON Lines artifact with one line a question: the prompt, the reference, and each model's answer and
    item scores. `report` holds the event's complete data as JSON, if a list here was cut.
    """

    type: ClassVar[str] = "evaluation.answered"
    evaluation_id: Id
    results: Annotated[tuple[ModelScores, ...], MaxEntries(MAX_MODELS)] = ()
    comparisons: Annotated[tuple[Comparison, ...], MaxEntries(300)] = ()
    samples: Artifact | None = None
    report: Artifact | None = None
    job_id: Id | None = None
    error: Failure | None = None
    duration_s: float = 0.0

    def aggregate_id(self) -> str:
        return self.evaluation_id
