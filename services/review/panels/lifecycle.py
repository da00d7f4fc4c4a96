"""Cancel, reopen, extend and reassign a review."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from services.review.ownership import Caller, NotOwner
from services.review.panels.assignments import Assignments
from services.review.panels.domain.review import Entry, Review, Status, WrongState
from services.review.panels.domain.scorecard import Scorecard
from shared.cloudevents import EventData

Reopener = Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class Lifecycle:
    """The use cases over the life of a review. `run_reopened` puts its run back into review."""

    assignments: Assignments
    run_reopened: Reopener
    now: Callable[[], float] = time.time

    async def cancel(self, review_id: str, reason: str, caller: Caller) -> Review:
        """End a review without a verdict. It can be opened again."""
        await self._require_manager(review_id, caller)
        return await self._move(review_id, "cancelled", reason, caller, "open", "sealing", "adjudicating")

    async def reopen(self, review_id: str, reason: str, caller: Caller) -> Review:
        """Take scores again after a cancelled review or an undecided verdict; given scores stay."""
        review = await self._require_manager(review_id, caller)
        if review.status not in ("closed", "cancelled", "open"):
            raise WrongState(f"a review that is {review.status} cannot be reopened")
        # Scores for a run that was decided meanwhile would count for nothing.
        await self.run_reopened(review.job_id)
        changes = {"sealed": False, "disputed": False, "decision": None}
        for card in await self.assignments.cards(review_id):
            await self.assignments.scorecards.change(card.id, lambda known: (known.model_copy(update=changes), ()))
        # One more score an item than before, so that the review does not close again at once.
        if review.status == "closed":
            await self._want_more(review_id)
        return await self._move(review_id, "open", reason, caller, "closed", "cancelled")

    async def extend(self, review_id: str, deadline_at: float | None, caller: Caller) -> Review:
        """Set another deadline, or none."""
        review = await self._require_manager(review_id, caller)
        entry = Entry(at=int(self.now()), by=caller.id, action="deadline", reason=str(deadline_at))

        def extend(known: Review) -> tuple[Review, Sequence[EventData]]:
            return known.noted(entry).model_copy(update={"deadline_at": deadline_at}), ()

        return await self.assignments.reviews.change(review_id, extend) or review

    async def reassign(self, review_id: str, old: str, new: str, caller: Caller) -> int:
        """Give the items that a reviewer has begun and not scored to another; returns how many."""
        review = await self._require_manager(review_id, caller)
        review.require_open(self.now())
        moved = 0
        for card in await self.assignments.cards(review_id):
            if card.reassigned(old, new) is not None:
                await self.assignments.scorecards.change(card.id, lambda known: _to(known, old, new))
                moved += 1
        return moved

    async def _want_more(self, review_id: str) -> None:
        for card in await self.assignments.cards(review_id):
            await self.assignments.scorecards.change(card.id, _want_one_more)

    async def _require_manager(self, review_id: str, caller: Caller) -> Review:
        """The owner of the job and admin manage its review."""
        review = await self.assignments.review(review_id)
        if not caller.owns(review.candidate.owner):
            raise NotOwner("only the job's owner and keys with the scope 'admin' can manage this review")
        return review

    async def _move(self, review_id: str, status: Status, reason: str, caller: Caller, *allowed: Status) -> Review:
        entry = Entry(at=int(self.now()), by=caller.id, action=status, reason=reason)

        def move(known: Review) -> tuple[Review, Sequence[EventData]] | None:
            moved = known.moved(status, entry, *allowed)
            events = [known.waiting("reviewers", known.items, entry.at)] if status == "open" else []
            return None if moved is None else (moved, events)

        changed = await self.assignments.reviews.change(review_id, move)
        assert changed is not None
        return changed


def _want_one_more(card: Scorecard) -> tuple[Scorecard, tuple[()]]:
    return card.model_copy(update={"wanted": len(card.scores) + 1, "complete": False}), ()


def _to(card: Scorecard, old: str, new: str) -> tuple[Scorecard, tuple[()]] | None:
    changed = card.reassigned(old, new)
    return None if changed is None else (changed, ())
