"""Events about reviews and verdicts."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.bounds import MaxBytes, MaxEntries
from shared.cloudevents import EventData
from shared.events.bounded_texts import Id, Label, Name, Reason
from shared.events.candidate import Candidate
from shared.events.values import Artifact, Value


class RuleOutcome(Value):
    """One rule of a policy: the figure, its limit, and whether the rule passed.

    `reason` adds what figure and limit do not say, such as the number of items and the interval.
    """

    rule: Annotated[str, MaxBytes(512, cut=True)]
    figure: float | None
    limit: float | None
    passed: bool
    reason: Reason
    is_difference: bool = False
    """Whether figure and limit are differences: the checkpoint's figure minus that of another model."""


Rules = Annotated[tuple[RuleOutcome, ...], MaxEntries(64)]


class Verdict(Value):
    """The decision about one checkpoint with every rule that led to it."""

    approved: bool
    outcome: Literal["approved", "rejected", "undecided"] | None = None
    """None in events from before there was an outcome; then `approved` says it."""
    mode: Literal["automatic", "human", "hybrid"]
    policy: Name
    rules: Rules
    reason: Reason


class ReviewOpened(EventData):
    """A checkpoint passed its gates and waits for reviewers."""

    type: ClassVar[str] = "review.opened"
    review_id: Id
    candidate: Candidate
    items: int
    reviewers_wanted: int

    def aggregate_id(self) -> str:
        return self.review_id


class ReviewWaiting(EventData):
    """Items of an open review wait for people again: reviewers who score, or adjudicators where scores differ.

    `review.opened` says the same for the first time. `at` is in Unix seconds.
    """

    type: ClassVar[str] = "review.waiting"
    review_id: Id
    candidate: Candidate
    waits_for: Literal["reviewers", "adjudicators"]
    items: int = Field(ge=0)
    at: int = Field(ge=0)

    def aggregate_id(self) -> str:
        return self.review_id

    def natural_key(self) -> str:
        return f"{self.review_id}/{self.waits_for}/{self.at}"


class ReviewScored(EventData):
    """The evidence about one checkpoint is complete. `score` is 0 to 100, None without reviewers."""

    type: ClassVar[str] = "review.scored"
    review_id: Id
    candidate: Candidate
    mode: Literal["automatic", "human", "hybrid"]
    score: float | None
    reviewers: int
    rules: Rules
    item_scores: Annotated[dict[Label, float], MaxEntries(1000)] = Field(default_factory=dict)
    """Reviewers' mean score of each answer, 0 to 100; `item-3` is the third of `samples`."""
    samples: Artifact | None = None
    """The answers that people scored; None for those of the checkpoint's `eval.done`."""
    advice: Reason = ""
    """What to do next, by how the scores moved since the last reviewed version and since production."""
    decision: int = Field(default=0, ge=0)
    """How many verdicts over the job came before, such as before a review was reopened."""

    def aggregate_id(self) -> str:
        return self.review_id

    def natural_key(self) -> str:
        return _numbered(self.review_id, self.decision)


class ModelApproved(EventData):
    """A checkpoint may be served."""

    type: ClassVar[str] = "model.approved"
    candidate: Candidate
    verdict: Verdict
    advice: Reason = ""
    """As in `review.scored`."""
    decision: int = Field(default=0, ge=0)
    """As in `review.scored`."""

    def aggregate_id(self) -> str:
        return self.candidate.job_id

    def natural_key(self) -> str:
        return _numbered(self.candidate.job_id, self.decision)


class ModelRejected(EventData):
    """No checkpoint of a job may be served; `candidate` is the best one, if there is one."""

    type: ClassVar[str] = "model.rejected"
    job_id: Id
    candidate: Candidate | None
    verdict: Verdict
    advice: Reason = ""
    """As in `review.scored`."""
    decision: int = Field(default=0, ge=0)
    """As in `review.scored`."""

    def aggregate_id(self) -> str:
        return self.job_id

    def natural_key(self) -> str:
        return _numbered(self.job_id, self.decision)


def _numbered(aggregate: str, decision: int) -> str:
    """The first verdict keeps the key that it had before there were several."""
    return f"{aggregate}/{decision}" if decision else aggregate
