"""Each target is scored once and kept for ever, by whichever evaluator gets to it first."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from services.evaluator.domain.lease import Scoring
from services.evaluator.domain.results import Scored, Target
from services.evaluator.ports import Scorer, ScoringStore


@dataclass(frozen=True)
class Scorings:
    """The use cases over scorings. `now` gives Unix seconds, on which all evaluators roughly agree."""

    store: ScoringStore
    scorer: Scorer
    lease_s: float
    now: Callable[[], float] = time.time

    async def obtain(self, target: Target) -> Scored:
        """The target's scores: known, made here, or waited for while another evaluator makes them."""
        # The other evaluator is another process: there is no event to wait for.
        while (scored := await self.obtain_if_free(target)) is None:  # noqa: ASYNC110
            await asyncio.sleep(min(1.0, self.lease_s / 3))
        return scored

    async def obtain_if_free(self, target: Target) -> Scored | None:
        """The target's scores; None when another evaluator is making them."""
        owner = uuid4().hex
        scoring = await self._claim(target.key, owner)
        if scoring.scored is not None:
            return scoring.scored
        return await self._make(target, owner) if scoring.owner == owner else None

    async def _claim(self, key: str, owner: str) -> Scoring:
        new = Scoring(owner=owner, expires_at=self.now() + self.lease_s)
        if await self.store.create(key, new):
            return new
        claimed = await self.store.change(key, lambda known: known.claimed(owner, self.now(), self.lease_s))
        assert claimed is not None, "a scoring is never deleted"
        return claimed

    async def _make(self, target: Target, owner: str) -> Scored:
        work = asyncio.create_task(self.scorer.score(target))
        renewal = asyncio.create_task(self._renew(target.key, owner))
        try:
            await asyncio.wait({work, renewal}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                # Only an error ends the renewal: the lease went to another, or the store is away.
                await renewal
            return await self._finish(target.key, work.result())
        finally:
            work.cancel()
            renewal.cancel()
            await asyncio.gather(work, renewal, return_exceptions=True)
            await self.store.change(target.key, lambda known: known.released(owner))

    async def _renew(self, key: str, owner: str) -> None:
        while True:
            await asyncio.sleep(self.lease_s / 3)
            await self.store.change(key, lambda known: known.renewed(owner, self.now(), self.lease_s))

    async def _finish(self, key: str, scored: Scored) -> Scored:
        scoring = await self.store.change(key, lambda known: known.finished(scored))
        assert scoring is not None
        assert scoring.scored is not None
        return scoring.scored
