"""People's part of a decision: items scored blind on a rubric until enough reviewers have scored them all."""

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from services.review.domain.policy import Policy, Rubric
from services.review.domain.run import review_id
from shared.cloudevents import EventData
from shared.events import Candidate, ModelApproved, ModelRejected, ReviewScored, RuleOutcome, Verdict

LOWEST, HIGHEST = 1, 5


class ReviewClosed(Exception):
    """The verdict is out, so that scores can no longer change it."""


class UnknownItem(Exception):
    """A score for an item that the review does not have."""


class BadSamples(Exception):
    """An evaluation's samples cannot be read as the contract says."""


class Item(BaseModel):
    """One answer to be judged. `prompt` is the conversation up to the answer, as messages."""

    model_config = ConfigDict(frozen=True)

    id: str
    prompt: Any
    reference: str
    answer: str


def _whole_number(value: object) -> object:
    # Litestar overrides pydantic's strictness, and neither "5" nor true is a score.
    if type(value) is not int:
        raise ValueError(f"must be a whole number from {LOWEST} to {HIGHEST}")
    return value


Points = Annotated[int, BeforeValidator(_whole_number), Field(ge=LOWEST, le=HIGHEST)]


class ItemScores(BaseModel):
    """One reviewer's judgement of one answer: 1 is worst, 5 is best."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accuracy: Points
    politeness: Points
    usefulness: Points
    comment: str | None = Field(default=None, max_length=4000)

    def percent(self, rubric: Rubric) -> float:
        """The weighted score, 0 to 100: a 1 counts as 0 and a 5 as 100."""
        weights = rubric.model_dump()
        points = sum(weight * (getattr(self, name) - LOWEST) for name, weight in weights.items())
        return points / (HIGHEST - LOWEST)


class Review(BaseModel):
    """The review of one checkpoint. `scores` is by reviewer, then item; `rules` are the gates that it passed."""

    model_config = ConfigDict(frozen=True)

    candidate: Candidate
    policy: Policy
    rules: tuple[RuleOutcome, ...]
    items: tuple[Item, ...]
    scores: dict[str, dict[str, ItemScores]] = Field(default_factory=dict)
    status: Literal["open", "closed"] = "open"
    score: float | None = None
    verdict: Verdict | None = None

    def items_for(self, reviewer: str) -> list[Item]:
        """The items in an order of this reviewer's own, so that position favours none."""
        return sorted(self.items, key=lambda item: hashlib.sha256(f"{reviewer}/{item.id}".encode()).digest())

    def finished_reviewers(self) -> list[str]:
        """Those who have scored every item."""
        return [reviewer for reviewer, scores in self.scores.items() if len(scores) == len(self.items)]

    def scored(self, reviewer: str, item_id: str, scores: ItemScores) -> tuple["Review", Sequence[EventData]] | None:
        """With one judgement more, or another in its place; None when it is the same again.

        When enough reviewers have scored every item the review closes. Raises `ReviewClosed` or `UnknownItem`.
        """
        if all(item.id != item_id for item in self.items):
            raise UnknownItem(f"this review has no item {item_id!r}")
        known = self.scores.get(reviewer, {})
        if known.get(item_id) == scores:
            return None
        if self.status == "closed":
            raise ReviewClosed("this review is closed: enough reviewers have scored every item")
        changed = self.model_copy(update={"scores": {**self.scores, reviewer: {**known, item_id: scores}}})
        if len(changed.finished_reviewers()) < self.policy.reviewers_wanted:
            return changed, ()
        return changed._close()

    def _close(self) -> tuple["Review", Sequence[EventData]]:
        reviewers = self.finished_reviewers()
        score = human_score([self.scores[reviewer] for reviewer in reviewers], self.policy.rubric)
        limit = self.policy.human_score_at_least
        passed = score >= limit
        reason = f"human_score {score:.1f} {'≥' if passed else '<'} {limit:.1f}, by {len(reviewers)} reviewers"
        rule = RuleOutcome(
            rule=f"human_score at_least {limit:g}", figure=score, limit=limit, passed=passed, reason=reason
        )
        verdict = Verdict(
            approved=passed, mode="hybrid", policy=self.policy.name, rules=(*self.rules, rule), reason=reason
        )
        closed = self.model_copy(update={"status": "closed", "score": score, "verdict": verdict})
        return closed, [closed._evidence(score, len(reviewers), verdict), closed._decision(verdict)]

    def _evidence(self, score: float, reviewers: int, verdict: Verdict) -> ReviewScored:
        return ReviewScored(
            review_id=review_id(self.candidate),
            candidate=self.candidate,
            mode="hybrid",
            score=score,
            reviewers=reviewers,
            rules=verdict.rules,
            item_scores={item.id: self._item_score(item.id) for item in self.items},
        )

    def _item_score(self, item_id: str) -> float:
        """The mean over those who finished, 0 to 100."""
        points = [self.scores[reviewer][item_id].percent(self.policy.rubric) for reviewer in self.finished_reviewers()]
        return sum(points) / len(points)

    def _decision(self, verdict: Verdict) -> EventData:
        if verdict.approved:
            return ModelApproved(candidate=self.candidate, verdict=verdict)
        return ModelRejected(job_id=self.candidate.job_id, candidate=self.candidate, verdict=verdict)


def human_score(judgements: Sequence[Mapping[str, ItemScores]], rubric: Rubric) -> float:
    """The mean over reviewers of the mean over their items, 0 to 100; each reviewer weighs the same."""
    means = [sum(scores.percent(rubric) for scores in by.values()) / len(by) for by in judgements]
    return sum(means) / len(means)


def sample_items(samples: bytes, count: int, seed: int) -> tuple[Item, ...]:
    """At most `count` items drawn from an evaluation's samples, the same ones each time; raises `BadSamples`."""
    lines = [line for line in samples.splitlines() if line.strip()]
    # The draw decides nothing secret: it only has to be the same each time.
    drawn = sorted(random.Random(seed).sample(range(len(lines)), min(count, len(lines))))  # noqa: S311
    if not drawn:
        raise BadSamples("the evaluation has no samples to be judged")
    return tuple(_item(number, lines[number]) for number in drawn)


def _item(number: int, line: bytes) -> Item:
    try:
        row = json.loads(line)
        return Item(id=f"item-{number + 1}", prompt=row["prompt"], reference=row["reference"], answer=row["answer"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadSamples(f"line {number + 1} of the samples is unusable: {type(error).__name__}: {error}") from None
