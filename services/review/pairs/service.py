"""Pairs of a review: the checkpoint's answers beside those of production or of another checkpoint."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from services.review.ownership import Caller
from services.review.pairs.domain.pair import ModelAnswer, Pair, Side
from services.review.panels.assignments import Assignments
from services.review.panels.domain.item import Item, UnknownItem
from services.review.panels.domain.review import Review, WrongState
from services.review.panels.domain.scorecard import place_for
from shared.store import Collection


@dataclass(frozen=True)
class Pairs:
    """The use cases over pairs."""

    pairs: Collection[Pair]
    assignments: Assignments
    now: Callable[[], float] = time.time

    async def all(self, review_id: str) -> list[Pair]:
        """All pairs of a review. Those against production are made of its items, once."""
        review = await self.assignments.review(review_id)
        known = await self.pairs.find(review_id=review_id)
        if not review.production or any(pair.baseline.model == review.production for pair in known):
            return known
        for stored in await self.assignments.items.find(review_id=review_id):
            if stored.item.production_answer is not None:
                await self.add(
                    review, stored.item, ModelAnswer(model=review.production, text=stored.item.production_answer)
                )
        return await self.pairs.find(review_id=review_id)

    async def add(self, review: Review, item: Item, baseline: ModelAnswer) -> bool:
        """Store the pair of an item and a baseline's answer; False where both answers are equal."""
        if baseline.text == item.answer:
            return False
        candidate = ModelAnswer(model=review.candidate.model_name, text=item.answer)
        pair = Pair(review_id=review.id, item_id=item.id, prompt=item.prompt, candidate=candidate, baseline=baseline)
        await self.pairs.create(pair)
        return True

    async def next(self, review_id: str, caller: Caller) -> Pair | None:
        """The next pair that the caller has not compared."""
        (await self.assignments.review(review_id)).require_not_own(caller)
        return next_of(await self.all(review_id), caller)

    async def unblinded(self, review_id: str, caller: Caller) -> list[Pair]:
        """All pairs, for a caller who may learn which model gave which answer.

        The owner of the job and `admin` always may, others after their last pair; raises `WrongState`.
        """
        review, every = await self.assignments.review(review_id), await self.all(review_id)
        if not caller.owns(review.candidate.owner) and next_of(every, caller) is not None:
            raise WrongState("compare all your pairs first: win rates and exports tell which model gave which answer")
        return every

    async def prefer(self, review_id: str, key: str, caller: Caller, side: Side, comment: str) -> Pair:
        """Store the caller's preference; the same one again changes nothing."""
        (await self.assignments.review(review_id)).require_not_own(caller)

        def apply(pair: Pair) -> tuple[Pair, tuple[()]] | None:
            changed = pair.preferred(caller.id, side, comment, self.now())
            return None if changed is None else (changed, ())

        found = await self.pairs.change(f"{review_id}/{key}", apply)
        if found is None:
            raise UnknownItem(f"this review has no pair {key!r}")
        return found


def last_of(pairs: list[Pair], caller: Caller) -> Pair | None:
    """The pair that the caller compared last."""
    compared = [pair for pair in pairs if caller.id in pair.preferences]
    return max(compared, key=lambda pair: pair.preferences[caller.id].at, default=None)


def next_of(pairs: list[Pair], caller: Caller) -> Pair | None:
    """The next pair that the caller has not compared, in the caller's own random order."""
    left = [pair for pair in pairs if caller.id not in pair.preferences]
    return min(left, key=lambda pair: place_for(caller.id, pair.key), default=None)
