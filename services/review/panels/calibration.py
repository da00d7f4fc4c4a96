"""The calibration round: items with known scores that a reviewer scores before real scores count."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from services.review.ownership import Caller
from services.review.panels.domain.item import Item
from services.review.panels.domain.member import Member
from services.review.panels.domain.review import Review
from services.review.panels.domain.scorecard import Score
from shared.store import Collection


@dataclass(frozen=True)
class KnownItem:
    """An item whose right scores are known."""

    item: Item
    points: dict[str, int]


KnownItems = Callable[[str], Awaitable[Sequence[KnownItem]]]


@dataclass(frozen=True)
class Calibration:
    """The use cases of the calibration round. `known_items` reads a question set by name."""

    members: Collection[Member]
    known_items: KnownItems

    async def member(self, review: Review, caller: Caller) -> Member:
        """The caller's record in a review, made at first sight."""
        key = f"{review.id}/{caller.id}"
        found = await self.members.get(key)
        if found is not None:
            return found
        calibrated = not await self._known(review)
        first = Member(id=key, review_id=review.id, reviewer=caller.id, calibrated=calibrated)
        await self.members.create(first)
        return await self.members.get(key) or first

    async def due(self, review: Review, member: Member) -> Item | None:
        """The next calibration item; None when the round was passed."""
        if member.calibrated:
            return None
        return next((each.item for each in await self._known(review) if each.item.id not in member.calibration), None)

    async def score(self, review: Review, member: Member, item_id: str, score: Score) -> bool:
        """Store the score of a calibration item; False where the item is not one."""
        known = {each.item.id: each.points for each in await self._known(review)}
        if item_id not in known:
            return False
        tolerance = review.policy.calibration_tolerance
        # Only the points count. Comments on a thousand items would make the member's document large.
        score = score.model_copy(update={"comment": ""})

        def apply(found: Member) -> tuple[Member, tuple[()]] | None:
            again = (before := found.calibration.get(item_id)) is not None and before.same_as(score)
            if found.calibrated or again:
                return None
            return found.calibrated_by(item_id, score, known, tolerance), ()

        await self.members.change(member.id, apply)
        return True

    async def right_scores(self, review: Review, item_id: str) -> dict[str, int] | None:
        """The known scores of a calibration item, which a reviewer sees after their own."""
        return next((each.points for each in await self._known(review) if each.item.id == item_id), None)

    async def _known(self, review: Review) -> list[KnownItem]:
        if review.policy.calibration is None:
            return []
        names = set(review.policy.rubric.names)
        return [each for each in await self.known_items(review.policy.calibration) if set(each.points) == names]
