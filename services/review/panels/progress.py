"""How far a panel is, how well it agrees, and whose scores need a look."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.review.ownership import Caller
from services.review.panels.assignments import Assignments
from services.review.panels.domain.member import Member
from services.review.panels.domain.review import Review
from services.review.panels.domain.reviewer_quality import Finding, break_due, findings
from services.review.panels.domain.scorecard import Scorecard
from services.review.panels.domain.scored import Scored
from services.review.panels.domain.scoring import agreement_by_criterion, equal_items, reviewers_of
from services.review.policies.domain.evidence import Agreement


@dataclass(frozen=True)
class OwnProgress:
    """One reviewer's progress. `left` counts items that the reviewer may still score."""

    done: int
    left: int
    seconds_per_item: float | None
    break_due: bool


@dataclass(frozen=True)
class Panel:
    """A panel's state. Agreement, equal items and findings are None for those who may not see them yet.

    `equal_items` counts, for each criterion, the items to which all their reviewers gave the same score.
    """

    scores_given: int
    scores_wanted: int
    done_by_reviewer: dict[str, int]
    disputed: int
    agreement: dict[str, Agreement] | None
    equal_items: dict[str, int] | None
    findings: tuple[Finding, ...] | None


@dataclass(frozen=True)
class Progress:
    """The use cases that only look at a review."""

    assignments: Assignments

    async def own(self, review_id: str, caller: Caller, now: float) -> OwnProgress:
        """The caller's progress and pace."""
        return _own(await self.assignments.cards(review_id), caller, now)

    async def own_in(self, reviews: Sequence[Review], caller: Caller, now: float) -> list[OwnProgress]:
        """The caller's progress in each of several reviews, by one query."""
        cards: dict[str, list[Scorecard]] = {review.id: [] for review in reviews}
        for card in await self.assignments.scorecards.find(review_id__in=tuple(cards)) if cards else []:
            cards[card.review_id].append(card)
        return [_own(cards[review.id], caller, now) for review in reviews]

    async def panel(self, review_id: str, caller: Caller) -> Panel:
        """The panel's state. While people still score, only admin sees agreement and findings."""
        review = await self.assignments.review(review_id)
        cards = await self.assignments.cards(review_id)
        shown = caller.admin or review.status in ("scored", "closed", "adjudicating")
        members = await self.assignments.members.find(review_id=review_id) if shown else []
        return Panel(
            scores_given=sum(len(card.scores) for card in cards),
            scores_wanted=sum(card.wanted for card in cards),
            done_by_reviewer={name: sum(name in card.scores for card in cards) for name in reviewers_of(cards)},
            disputed=sum(card.disputed for card in cards),
            agreement=await asyncio.to_thread(agreement_by_criterion, cards, review.policy) if shown else None,
            equal_items=equal_items(cards, review.policy) if shown else None,
            findings=tuple(_findings(review, cards, members)) if shown else None,
        )


def _own(cards: Sequence[Scorecard], caller: Caller, now: float) -> OwnProgress:
    given = sorted((c.scores[caller.id] for c in cards if caller.id in c.scores), key=lambda score: score.at)
    seconds = [score.seconds for score in given if score.seconds is not None]
    left = sum(caller.id not in card.scores and card.open_to(caller.id, now) for card in cards)
    mean = sum(seconds) / len(seconds) if seconds else None
    return OwnProgress(len(given), left, mean, break_due(seconds))


def _findings(review: Review, cards: Sequence[Scorecard], members: Sequence[Member]) -> list[Finding]:
    rubric = review.policy.rubric
    panel: dict[str, list[Scored]] = {name: [] for name in reviewers_of(cards)}
    for card in cards:
        for name, score in card.scores.items():
            points = tuple(float(score.points[criterion]) for criterion in rubric.names)
            percent = rubric.percent(score.points)
            row = Scored(item_id=card.item_id, percent=percent, at=score.at, points=points, seconds=score.seconds)
            panel[name].append(row)
    first = {(name, row.item_id): row.percent for name, rows in panel.items() for row in rows}
    repeats = {
        member.reviewer: [
            abs(rubric.percent(score.points) - first[member.reviewer, item])
            for item, score in member.repeats.items()
            if (member.reviewer, item) in first
        ]
        for member in members
    }
    return findings(panel, repeats)
