"""Events about scores of checkpoints."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.bounds import MaxEntries
from shared.cloudevents import EventData
from shared.events.bounded_texts import Id, Metric, Name
from shared.events.candidate import Candidate
from shared.events.measurements import Comparison, Contamination, Intervals, Scores, Subjects
from shared.events.values import Artifact, Failure, Split

MAX_TASKS = 100
MAX_TASK_ERRORS = 50


class EvalDone(EventData):
    """A checkpoint and its base model were scored on the items of one split, and on suites.

    `split` is `validation` where several checkpoints are compared: `test` then names the questions with which the
    chosen checkpoint is proved. It is `test` where there is nothing to choose between.

    `samples` is a JSON Lines artifact of `{"prompt", "reference", "answer", "base_answer", "scores"}`, with
    `production_answer` if `production` names a version, and `confidence` if the engine returned probabilities.
    `intervals` are those of `scores`, by metric. `comparisons` hold, for each metric, one with the base model and one
    with `production`, which is the version of the same alias and base model that is in production, if there is one.
    `item_errors` counts the questions that the engine refused; they count as empty answers.

    Scores on suites are named `<suite>.<task>.<metric>`, `<suite>.score` (the weighted mean of the tasks' own metrics)
    and `<suite>.kept` (1 if no task's own metric is significantly worse than the base model's). `subjects` are by
    metric, then by subject. A task that could not be scored is in `task_errors`; it and its suite have no score.
    `task_samples` are like `samples`, by task. The score `contaminated` is the share of the questions of the test split
    and of all tasks that occur in the training rows, if `checkpoint.saved` names these.
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
    unreadable: Annotated[dict[Metric, int], MaxEntries(20, cut=True)] = Field(default_factory=dict)
    """The checkpoint's answers that do not have the form that a metric reads, by metric; they count as wrong."""
    item_errors: int = Field(default=0, ge=0)
    base_item_errors: int = Field(default=0, ge=0)
    judge_invalid: int = Field(default=0, ge=0)
    """The judge's replies that were not a judgement; the judge was asked again for each."""
    production: Id | None = None
    production_scores: Scores = Field(default_factory=dict)
    production_intervals: Intervals = Field(default_factory=dict)
    subjects: Subjects = Field(default_factory=dict)
    task_samples: Annotated[dict[Metric, Artifact], MaxEntries(MAX_TASKS, cut=True)] = Field(default_factory=dict)
    task_errors: Annotated[dict[Metric, Failure], MaxEntries(MAX_TASK_ERRORS, cut=True)] = Field(default_factory=dict)
    report: Artifact | None = None
    """The event's complete data as JSON, if a list or dict here was cut."""
    split: Literal["validation", "test"] = "test"
    """The split of `samples` and of the scores without a suite's name."""
    test: Split | None = None
    """The test split, if `split` is `validation`."""
    production_candidate: Candidate | None = None
    """The version that `production` names, so that it can be asked further questions."""
    contamination: Annotated[tuple[Contamination, ...], MaxEntries(MAX_TASKS + 1, cut=True)] = ()

    def aggregate_id(self) -> str:
        return self.candidate.job_id

    def natural_key(self) -> str:
        return f"{self.candidate.job_id}/{self.candidate.step}/{self.suite}"
