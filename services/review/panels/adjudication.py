"""Items on which reviewers differ, and the decisions about them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.review.ownership import Caller
from services.review.panels.assignments import Assignments
from services.review.panels.domain.item import Item, UnknownItem
from services.review.panels.domain.review import WrongState
from services.review.panels.domain.scorecard import Decision, Score, Scorecard, item_key


@dataclass(frozen=True)
class Disputed:
    """One item on which reviewers differ; the scores are ordered by reviewer and without names.

    `differences` is how far apart the scores of each criterion are, in points.
    """

    item: Item
    scores: tuple[Score, ...]
    differences: dict[str, int]
    decision: Decision | None

    @property
    def agreed(self) -> dict[str, int]:
        """The points of the criteria to which all reviewers gave the same score."""
        return {name: points for name, points in self.scores[0].points.items() if self.differences[name] == 0}

    @property
    def apart(self) -> dict[str, int]:
        """The differences of the other criteria, the largest first."""
        found = {name: points for name, points in self.differences.items() if points}
        return dict(sorted(found.items(), key=lambda each: -each[1]))


@dataclass(frozen=True)
class Adjudication:
    """The use cases over disputed items. `decided` is called after each decision."""

    assignments: Assignments
    decided: Callable[[str], None]
    now: Callable[[], float] = time.time

    async def queue(self, review_id: str, caller: Caller) -> list[Disputed]:
        """The items that wait for a decision; raises `WrongState` while scores are still given."""
        review = await self.assignments.review(review_id)
        review.require_not_own(caller)
        review.require_adjudicator(caller)
        if review.status == "open":
            raise WrongState("reviewers still score; disputed items are shown when all scores are given")
        cards = [card for card in await self.assignments.cards(review_id) if card.disputed]
        content = {each.item.id: each.item for each in await self.assignments.items.find(review_id=review_id)}
        return [
            Disputed(
                item=content[card.item_id],
                scores=tuple(card.scores[name] for name in sorted(card.scores)),
                differences=card.differences(),
                decision=card.decision,
            )
            for card in sorted(cards, key=lambda card: -card.spread())
        ]

    async def decide(
        self, review_id: str, item_id: str, caller: Caller, given: Mapping[str, Any], reason: str
    ) -> Decision:
        """Decide a disputed item: these scores count, and the reviewers' stay on record."""
        review = await self.assignments.review(review_id)
        review.require_not_own(caller)
        review.require_adjudicator(caller)
        points = review.policy.rubric.check(given)
        decision = Decision(points=points, by=caller.id, reason=reason, at=self.now())

        def apply(card: Scorecard) -> tuple[Scorecard, tuple[()]] | None:
            if card.decision is not None and card.decision.points == points:
                return None
            if review.status != "adjudicating" or not card.disputed:
                raise WrongState(f"the item {item_id!r} does not wait for a decision")
            return card.model_copy(update={"decision": decision, "disputed": False}), ()

        card = await self.assignments.scorecards.change(item_key(review_id, item_id), apply)
        if card is None:
            raise UnknownItem(f"this review has no item {item_id!r}")
        self.decided(review_id)
        return card.decision or decision
