"""From the last score to the verdict: seal, adjudicate, gather the evidence. Each step can be repeated."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from services.review.panels.domain.review import UNFINISHED, Entry, Review, Status
from services.review.panels.domain.scorecard import Scorecard
from services.review.panels.domain.scoring import human_evidence, item_scores
from services.review.policies.domain.evidence import HumanEvidence
from shared import telemetry
from shared.cloudevents import EventData
from shared.store import Collection

_log = telemetry.logger(__name__)
Decider = Callable[[Review, HumanEvidence | None, dict[str, float]], Awaitable[object]]
SYSTEM = "assay"


@dataclass(frozen=True)
class Completion:
    """Closes reviews whose scores are complete. `decide` gives the verdict, once however often it is called."""

    reviews: Collection[Review]
    scorecards: Collection[Scorecard]
    decide: Decider
    now: Callable[[], float] = time.time
    sweep_s: float = 2.0
    _due: set[str] = field(default_factory=set[str])
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def scored(self, review_id: str) -> None:
        """Look at this review at once: an item of it is complete."""
        self._due.add(review_id)
        self._wake.set()

    async def run(self) -> None:
        """Close what is due until cancelled; a sweep finds what a crash left."""
        while True:
            try:
                await self._round()
            except Exception as error:
                _log.warning("reviews wait to be closed", error=str(error))
            try:
                async with asyncio.timeout(self.sweep_s):
                    await self._wake.wait()
            except TimeoutError:
                self._due.update(await self._find(UNFINISHED))

    async def advance(self, review_id: str) -> None:
        """Take one review as far as its scores allow."""
        review = await self.reviews.get(review_id)
        if review is None:
            return
        if review.status == "open" and await self._complete(review):
            review = await self._move(review, "sealing", "all scores are given", "open")
        if review.status == "sealing":
            review = await self._seal(review)
        if review.status == "adjudicating" and not await self._disputed(review):
            review = await self._move(review, "scored", "all disputed items are decided", "adjudicating")
        if review.status == "scored":
            await self._decide(review)

    async def _round(self) -> None:
        self._wake.clear()
        while self._due:
            await self.advance(self._due.pop())

    async def _find(self, status: tuple[Status, ...]) -> list[str]:
        try:
            return [review.id for review in await self.reviews.find(status__in=status)]
        except Exception as error:
            _log.warning("the sweep over reviews failed", error=str(error))
            return []

    async def _complete(self, review: Review) -> bool:
        late = review.deadline_at is not None and self.now() >= review.deadline_at
        return late or not await self.scorecards.find(review_id=review.id, complete=False, limit=1)

    async def _seal(self, review: Review) -> Review:
        """Fix all scores, so that the verdict counts each score that was accepted."""
        least = review.policy.adjudicate_from

        def seal(card: Scorecard) -> tuple[Scorecard, tuple[()]] | None:
            disputed = least is not None and card.decision is None and card.spread() >= least
            return None if card.sealed else (card.model_copy(update={"sealed": True, "disputed": disputed}), ())

        for card in await self.scorecards.find(review_id=review.id, sealed=False):
            await self.scorecards.change(card.id, seal)
        if disputed := await self._disputed(review):
            why = f"reviewers differ on {disputed} {'item' if disputed == 1 else 'items'}"
            return await self._move(review, "adjudicating", why, "sealing", waiting=disputed)
        return await self._move(review, "scored", "the scores are sealed", "sealing")

    async def _disputed(self, review: Review) -> int:
        return len(await self.scorecards.find(review_id=review.id, disputed=True))

    async def _decide(self, review: Review) -> None:
        cards = await self.scorecards.find(review_id=review.id)
        human = await asyncio.to_thread(human_evidence, cards, review.policy)
        await self.decide(review, human, item_scores(cards, review.policy))
        now = int(self.now())

        def close(known: Review) -> tuple[Review, tuple[()]] | None:
            # A person may have decided meanwhile, which ended the review.
            if known.status != "scored":
                return None
            ended = known.ended("closed", Entry(at=now, by=SYSTEM, action="closed"))
            return ended.model_copy(update={"human": human, "closed_at": now}), ()

        await self.reviews.change(review.id, close)

    async def _move(self, review: Review, status: Status, reason: str, *allowed: Status, waiting: int = 0) -> Review:
        entry = Entry(at=int(self.now()), by=SYSTEM, action=status, reason=reason)

        def move(known: Review) -> tuple[Review, Sequence[EventData]] | None:
            # Another replica may have taken the same step.
            moved = known.moved(status, entry, *allowed) if known.status in allowed else None
            events = [known.waiting("adjudicators", waiting, entry.at)] if waiting else []
            return None if moved is None else (moved, events)

        return await self.reviews.change(review.id, move) or review
