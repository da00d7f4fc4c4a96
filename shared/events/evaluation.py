"""Events about the scores of checkpoints."""

from typing import ClassVar

from pydantic import Field

from shared.cloudevents import EventData
from shared.events.candidate import Candidate
from shared.events.figures import Comparison, Contamination, Interval, Score
from shared.events.values import Artifact, Failure


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
    suite: str
    scores: dict[str, Score]
    base_scores: dict[str, Score]
    samples: Artifact
    duration_s: float = 0.0
    error: Failure | None = None
    intervals: dict[str, Interval] = Field(default_factory=dict)
    base_intervals: dict[str, Interval] = Field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()
    item_errors: int = Field(default=0, ge=0)
    base_item_errors: int = Field(default=0, ge=0)
    judge_invalid: int = Field(default=0, ge=0)
    """A judge's replies on the checkpoint's answers that were no judgement; each was asked for again."""
    production: str | None = None
    production_scores: dict[str, Score] = Field(default_factory=dict)
    subjects: dict[str, dict[str, Score]] = Field(default_factory=dict)
    task_samples: dict[str, Artifact] = Field(default_factory=dict)
    task_errors: dict[str, Failure] = Field(default_factory=dict)
    contamination: tuple[Contamination, ...] = ()

    def aggregate_id(self) -> str:
        return self.candidate.job_id

    def natural_key(self) -> str:
        return f"{self.candidate.job_id}/{self.candidate.step}/{self.suite}"
