"""Which item a reviewer scores next, and their scores."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.review.ownership import Caller
from services.review.panels.calibration import Calibration
from services.review.panels.domain.item import Item, StoredItem, UnknownItem
from services.review.panels.domain.member import AGAIN, Member, NotCalibrated, control_due
from services.review.panels.domain.review import Review
from services.review.panels.domain.scorecard import NotAssigned, Score, Scorecard, item_key, place_for
from shared.store import Collection


class UnknownReview(Exception):
    """There is no such review."""


@dataclass(frozen=True)
class Assigned:
    """An item that a reviewer may score, with what they gave before. `kind` says whether the score counts."""

    item: Item
    kind: str
    score: Score | None = None


@dataclass(frozen=True)
class Assignments:
    """The use cases of one reviewer in one review. `scored` is called after each score that counts."""

    reviews: Collection[Review]
    items: Collection[StoredItem]
    scorecards: Collection[Scorecard]
    members: Collection[Member]
    calibration: Calibration
    scored: Callable[[str], None]
    now: Callable[[], float] = time.time

    async def review(self, review_id: str) -> Review:
        """One review; raises `UnknownReview`."""
        found = await self.reviews.get(review_id)
        if found is None:
            raise UnknownReview(f"there is no review {review_id!r}")
        return found

    async def cards(self, review_id: str) -> list[Scorecard]:
        """All scorecards of a review."""
        return await self.scorecards.find(review_id=review_id)

    async def evidence(self, review_id: str, item_id: str) -> tuple[Item, Scorecard]:
        """An item with all its scores, for those who read a verdict; raises `UnknownItem`."""
        return await self._item(review_id, item_id), await self._card(review_id, item_id)

    async def mine(self, review_id: str, caller: Caller) -> list[Assigned]:
        """All items that the caller has or may take, in the caller's own order."""
        await self.review(review_id)
        now = self.now()
        cards = [card for card in await self.cards(review_id) if card.open_to(caller.id, now)]
        content = {each.item.id: each.item for each in await self.items.find(review_id=review_id)}
        ordered = sorted(cards, key=lambda card: place_for(caller.id, card.item_id))
        return [_assigned(content[card.item_id], card, caller) for card in ordered]

    async def next(self, review_id: str, caller: Caller, skip: str = "") -> Assigned | None:
        """Lease the caller's next item; None when nothing is left. An item that was begun comes first."""
        review = await self.review(review_id)
        # The last scores of others may have completed the review a moment ago.
        if review.status in ("sealing", "scored", "adjudicating", "closed"):
            return None
        self._require_open(review, caller)
        member = await self.calibration.member(review, caller)
        if due := await self.calibration.due(review, member):
            return Assigned(due, "calibration")
        cards = sorted(await self.cards(review_id), key=lambda card: place_for(caller.id, card.item_id))
        if (again := _repeat_due(review, member, cards, caller)) and again != skip:
            item = await self._item(review_id, again)
            return Assigned(item.model_copy(update={"id": again + AGAIN}), "control")
        return await self._lease(review, cards, caller, skip)

    async def item(self, review_id: str, item_id: str, caller: Caller) -> Assigned:
        """One item that the caller has or may take; raises `NotAssigned` for one of others."""
        await self.review(review_id)
        card = await self._card(review_id, item_id)
        if not card.open_to(caller.id, self.now()):
            raise NotAssigned(f"the item {item_id!r} is assigned to other reviewers")
        return _assigned(await self._item(review_id, item_id), card, caller)

    async def score(
        self, review_id: str, item_id: str, caller: Caller, given: Mapping[str, Any], score: Score
    ) -> Score:
        """Store the caller's scores of one item. The same scores again change nothing."""
        review = await self.review(review_id)
        review.require_not_own(caller)
        member = await self.calibration.member(review, caller)
        checked = score.model_copy(update={"points": review.policy.rubric.check(given), "at": self.now()})
        if await self.calibration.score(review, member, item_id, checked):
            return checked
        if item_id.endswith(AGAIN):
            return await self._repeat(review, member, item_id.removesuffix(AGAIN), checked)
        if not member.calibrated:
            raise NotCalibrated("score the calibration items first")
        return await self._score(review, item_id, caller, checked)

    async def undo(self, review_id: str, caller: Caller) -> Assigned | None:
        """Take back the caller's last score; None when there is none."""
        review = await self._open(review_id, caller)
        scored = [
            (seat.score.at, card.item_id)
            for card in await self.cards(review_id)
            if (seat := card.seat_of(caller.id)) and seat.score
        ]
        if not scored:
            return None
        _, item_id = max(scored)
        until = self.now() + review.policy.lease_s

        def undo(card: Scorecard) -> tuple[Scorecard, tuple[()]] | None:
            changed = card.undone(caller.id, until)
            return None if changed is None else (changed, ())

        before = await self._card(review_id, item_id)
        await self.scorecards.change(item_key(review_id, item_id), undo)
        return _assigned(await self._item(review_id, item_id), before, caller)

    async def _score(self, review: Review, item_id: str, caller: Caller, score: Score) -> Score:
        now = self.now()

        def apply(card: Scorecard) -> tuple[Scorecard, tuple[()]] | None:
            changed = card.scored(caller.id, score, now)
            if changed is None:
                return None
            review.require_open(now)
            return changed, ()

        card = await self.scorecards.change(item_key(review.id, item_id), apply)
        if card is None:
            raise UnknownItem(f"this review has no item {item_id!r}")
        if card.complete:
            self.scored(review.id)
        seat = card.seat_of(caller.id)
        return seat.score if seat and seat.score else score

    async def _repeat(self, review: Review, member: Member, item_id: str, score: Score) -> Score:
        seat = (await self._card(review.id, item_id)).seat_of(member.reviewer)
        if seat is None or seat.score is None:
            raise UnknownItem(f"this review has no item {item_id + AGAIN!r}")
        await self.members.change(member.id, lambda known: (known.repeated(item_id, score), ()))
        return score

    async def _lease(self, review: Review, cards: list[Scorecard], caller: Caller, skip: str) -> Assigned | None:
        now = self.now()
        until = now + review.policy.lease_s
        free = [card for card in cards if card.item_id != skip and not card.complete and card.open_to(caller.id, now)]
        begun = [card for card in free if (seat := card.seat_of(caller.id)) and not seat.score]
        fresh = [card for card in free if card.seat_of(caller.id) is None]
        for card in (*begun, *fresh):
            try:
                leased = await self.scorecards.change(card.id, lambda c: (c.leased(caller.id, until, now), ()))
            except NotAssigned:
                # Another reviewer was faster.
                continue
            assert leased is not None
            return _assigned(await self._item(review.id, card.item_id), leased, caller)
        return None

    async def _open(self, review_id: str, caller: Caller) -> Review:
        review = await self.review(review_id)
        self._require_open(review, caller)
        return review

    def _require_open(self, review: Review, caller: Caller) -> None:
        review.require_open(self.now())
        review.require_not_own(caller)

    async def _item(self, review_id: str, item_id: str) -> Item:
        found = await self.items.get(item_key(review_id, item_id))
        if found is None:
            raise UnknownItem(f"this review has no item {item_id!r}")
        return found.item

    async def _card(self, review_id: str, item_id: str) -> Scorecard:
        found = await self.scorecards.get(item_key(review_id, item_id))
        if found is None:
            raise UnknownItem(f"this review has no item {item_id!r}")
        return found


def _assigned(item: Item, card: Scorecard, caller: Caller) -> Assigned:
    seat = card.seat_of(caller.id)
    return Assigned(item, "item", seat.score if seat else None)


def _repeat_due(review: Review, member: Member, cards: list[Scorecard], caller: Caller) -> str | None:
    """The item that the caller should score again now, the one scored longest ago first."""
    own = [(seat.score.at, card.item_id) for card in cards if (seat := card.seat_of(caller.id)) and seat.score]
    left = [item_id for _, item_id in sorted(own) if item_id not in member.repeats]
    total = len([card for card in cards if card.open_to(caller.id, 0)])
    due = control_due(len(own), total, len(member.repeats), review.policy.control_items)
    return left[0] if due and left else None
