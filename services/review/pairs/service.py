"""Pairs of a review: the checkpoint's answers beside those of the version in production."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from services.review.ownership import Caller
from services.review.pairs.domain.pair import Pair, Side
from services.review.panels.assignments import Assignments
from services.review.panels.domain.item import UnknownItem
from services.review.panels.domain.scorecard import place_for
from shared.store import Collection


@dataclass(frozen=True)
class Pairs:
    """The use cases over pairs."""

    pairs: Collection[Pair]
    assignments: Assignments
    now: Callable[[], float] = time.time

    async def all(self, review_id: str) -> list[Pair]:
        """All pairs of a review; made of its items that production answered too, once."""
        await self.assignments.review(review_id)
        known = await self.pairs.find(review_id=review_id)
        if known:
            return known
        for stored in await self.assignments.items.find(review_id=review_id):
            item = stored.item
            if item.production_answer is not None and item.production_answer != item.answer:
                await self.pairs.create(
                    Pair(
                        review_id=review_id,
                        item_id=item.id,
                        prompt=item.prompt,
                        candidate=item.answer,
                        production=item.production_answer,
                    )
                )
        return await self.pairs.find(review_id=review_id)

    async def next(self, review_id: str, caller: Caller) -> Pair | None:
        """The next pair that the caller has not compared, in the caller's own random order."""
        (await self.assignments.review(review_id)).require_not_own(caller)
        left = [pair for pair in await self.all(review_id) if caller.id not in pair.preferences]
        return min(left, key=lambda pair: place_for(caller.id, f"pair/{pair.item_id}"), default=None)

    async def prefer(self, review_id: str, item_id: str, caller: Caller, side: Side, comment: str) -> Pair:
        """Store the caller's preference; the same one again changes nothing."""
        (await self.assignments.review(review_id)).require_not_own(caller)

        def apply(pair: Pair) -> tuple[Pair, tuple[()]] | None:
            changed = pair.preferred(caller.id, side, comment, self.now())
            return None if changed is None else (changed, ())

        found = await self.pairs.change(f"{review_id}/{item_id}", apply)
        if found is None:
            raise UnknownItem(f"this review has no pair {item_id!r}")
        return found
