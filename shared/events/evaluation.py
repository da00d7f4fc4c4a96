"""Events about the scores of checkpoints."""

from typing import Annotated, ClassVar

from pydantic import Field

from shared.bounds import MaxEntries
from shared.cloudevents import EventData
from shared.events.candidate import Candidate
from shared.events.figures import Comparison, Contamination, Intervals, Scores, Subjects
from shared.events.texts import Id, Metric, Name
from shared.events.values import Artifact, Failure

MAX_TASKS = 100


class EvalDone(EventData):
    """A checkpoint was scored on the test split, beside its base model on the same items.

    `samples` is a JSON Lines artifact of `{"prompt", "reference", "answer", "base_answer", "scores"}`, with
    `production_answer` where there is one, and `confidence` where the engine told how sure the model was.
    `intervals` are those of `scores`, by metric; `comparisons` hold one for each metric with the base model and, where
    another version of the same alias and base model is in production, as `production` names it, with that.
    `item_errors` counts the questions that the engine refused, which count as empty answers.

    Where the checkpoint was scored on suites too, their scores stand beside the test split's as
    `<suite>.<task>.<metric>`, `<suite>.score` (the tasks' own metrics by weight) and `<suite>.kept` (1 where no task's
    own metric is worse than the base model's by the test); `subjects` are by metric, then subject. A task that could
    not be scored is in `task_errors` and has no score, nor has its suite. `task_samples` are as `samples`, by task. The
    score `contaminated` is the share of all questions that training held, where `checkpoint.saved` says what it was.
    """

    type: ClassVar[str] = "eval.done"
    candidate: Candidate
    suite: Name
    scores: Scores
    base_scores: Scores
    samples: Artifact
    duration_s: float = 0.0
    error: Failure | None = None
    intervals: Intervals = Field(default_factory=dict)
    base_intervals: Intervals = Field(default_factory=dict)
    comparisons: Annotated[tuple[Comparison, ...], MaxEntries(300)] = ()
    item_errors: int = Field(default=0, ge=0)
    base_item_errors: int = Field(default=0, ge=0)
    judge_invalid: int = Field(default=0, ge=0)
    """A judge's replies on the checkpoint's answers that were no judgement; each was asked for again."""
    production: Id | None = None
    production_scores: Scores = Field(default_factory=dict)
    subjects: Subjects = Field(default_factory=dict)
    task_samples: Annotated[dict[Metric, Artifact], MaxEntries(MAX_TASKS, cut=True)] = Field(default_factory=dict)
    task_errors: Annotated[dict[Metric, Failure], MaxEntries(MAX_TASKS, cut=True)] = Field(default_factory=dict)
    report: Artifact | None = None
    """The whole event's data as JSON, where a list or dict here was too long to be published."""
    contamination: Annotated[tuple[Contamination, ...], MaxEntries(MAX_TASKS + 1, cut=True)] = ()

    def aggregate_id(self) -> str:
        return self.candidate.job_id

    def natural_key(self) -> str:
        return f"{self.candidate.job_id}/{self.candidate.step}/{self.suite}"
