"""Takes reviews back whose scores no longer count: a person decided, or a newer version was approved."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from services.review.panels.domain.review import UNFINISHED, Entry, Review, Status
from shared.store import Collection


@dataclass(frozen=True)
class Withdrawal:
    """Takes a review back from its panel."""

    reviews: Collection[Review]
    now: Callable[[], float] = time.time

    async def end(self, review_id: str, status: Status, reason: str, by: str) -> None:
        """End a review that is not finished; nothing happens where there is none, or where it ended already."""
        entry = Entry(at=int(self.now()), by=by, action=status, reason=reason)

        def move(known: Review) -> tuple[Review, tuple[()]] | None:
            return None if known.status not in UNFINISHED else (known.ended(status, entry), ())

        await self.reviews.change(review_id, move)
