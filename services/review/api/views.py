"""What review shows over HTTP; scores of others stay hidden while a review is open."""

from typing import Literal, Self

from pydantic import BaseModel

from services.review.domain.review import Item, ItemScores
from services.review.domain.run import Run, Status
from services.review.ports import ReviewRecord
from shared.events import Candidate, Verdict


class ReviewView(BaseModel):
    """One review. `you_scored` counts the asking reviewer's items; the rest of `score` comes when it is closed."""

    id: str
    job_id: str
    status: Literal["open", "closed"]
    opened_at: int
    candidate: Candidate
    policy: str
    items: int
    you_scored: int
    reviewers_done: int
    reviewers_wanted: int
    score: float | None
    verdict: Verdict | None

    @classmethod
    def of(cls, record: ReviewRecord, reviewer: str) -> Self:
        review = record.review
        return cls(
            id=record.id,
            job_id=review.candidate.job_id,
            status=review.status,
            opened_at=int(record.opened_at),
            candidate=review.candidate,
            policy=review.policy.name,
            items=len(review.items),
            you_scored=len(review.scores.get(reviewer, {})),
            reviewers_done=len(review.finished_reviewers()),
            reviewers_wanted=review.policy.reviewers_wanted,
            score=review.score,
            verdict=review.verdict,
        )


class ItemView(Item):
    """One item with what this reviewer made of it."""

    your_scores: ItemScores | None


def items_of(record: ReviewRecord, reviewer: str) -> list[ItemView]:
    """A reviewer's items, in an order of their own."""
    mine = record.review.scores.get(reviewer, {})
    return [ItemView(**item.model_dump(), your_scores=mine.get(item.id)) for item in record.review.items_for(reviewer)]


class RunView(BaseModel):
    """A job with the verdict over it and all the evidence."""

    job_id: str
    status: Status
    verdict: Verdict | None
    review: ReviewView | None
    run: Run

    @classmethod
    def of(cls, run: Run, record: ReviewRecord | None, reviewer: str) -> Self:
        verdict = run.verdict or (record.review.verdict if record else None)
        status = run.status
        if status == "in_review" and verdict is not None:
            status = "approved" if verdict.approved else "rejected"
        review = ReviewView.of(record, reviewer) if record else None
        return cls(job_id=run.job_id, status=status, verdict=verdict, review=review, run=run)
