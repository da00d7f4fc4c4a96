"""What review shows of reviews and items; scores of others stay hidden while people score."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, Field

from services.review.panels.assignments import Assigned
from services.review.panels.domain.review import Entry, Review, Status
from services.review.panels.domain.scorecard import Score
from services.review.panels.progress import OwnProgress
from services.review.policies.domain.evidence import HumanEvidence
from services.review.policies.domain.rubric import Rubric
from services.review.policies.domain.strict_model import StrictModel

Comment = Annotated[str, Field(max_length=4000)]


class ScoresInput(StrictModel):
    """Scores by criterion, as the review's rubric names them; `seconds` is how long the item was looked at."""

    scores: dict[str, Any] = Field(max_length=20)
    comment: Comment = ""
    seconds: float | None = Field(default=None, ge=0, le=86400)
    discuss: bool = False


class ReviewView(BaseModel):
    """One review, as a reviewer may see it. Which model and step it is about is shown once it is closed."""

    id: str
    job_id: str
    name: str
    status: Status
    opened_at: int
    deadline_at: float | None
    closed_at: int | None
    policy: str
    revision: int
    rubric: Rubric
    items: int
    reviewers_wanted: int
    human: HumanEvidence | None
    log: tuple[Entry, ...]

    @classmethod
    def of(cls, review: Review) -> Self:
        return cls(
            **review.model_dump(include={"id", "job_id", "status", "opened_at", "deadline_at", "closed_at", "items"}),
            name=review.alias,
            policy=review.policy.name,
            revision=review.policy.revision,
            rubric=review.policy.rubric,
            reviewers_wanted=review.policy.reviewers_wanted,
            human=review.human,
            log=review.log,
        )


class OwnView(BaseModel):
    """The asking reviewer's progress."""

    done: int
    left: int
    seconds_per_item: float | None
    break_due: bool

    @classmethod
    def of(cls, progress: OwnProgress) -> Self:
        return cls(**vars(progress))


class ItemView(BaseModel):
    """One item with what this reviewer gave. `kind` is `item`, or `calibration` for a score that does not count."""

    id: str
    prompt: Any
    reference: str
    answer: str
    tags: tuple[str, ...]
    kind: str
    your_scores: Score | None

    @classmethod
    def of(cls, assigned: Assigned) -> Self:
        # A repeat looks like any other item.
        kind = "calibration" if assigned.kind == "calibration" else "item"
        content = assigned.item.model_dump(exclude={"production_answer"})
        return cls(**content, kind=kind, your_scores=assigned.score)


class NextView(BaseModel):
    """The next item, None when nothing is left for this reviewer."""

    item: ItemView | None
    progress: OwnView


class ScoredView(BaseModel):
    """A score as it was stored, with the right scores where the item was one of the calibration round."""

    score: Score
    right_scores: dict[str, int] | None
    progress: OwnView
