"""Scores each target once; the result is stored for every later job."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from services.evaluator.scoring.domain.lease import Scoring
from services.evaluator.scoring.domain.scored import Scored
from services.evaluator.scoring.domain.target import Target
from services.evaluator.scoring.ports import Scorer
from shared.store import Collection, Decision


@dataclass(frozen=True)
class Scorings:
    """`now` returns Unix seconds; the clocks of all evaluators must roughly agree."""

    store: Collection[Scoring]
    scorer: Scorer
    lease_s: float
    now: Callable[[], float] = time.time

    async def obtain(self, target: Target) -> Scored:
        """The target's scores: stored ones, or computed here or by another evaluator."""
        # The other evaluator is a different process, so there is no asyncio event to wait for.
        while (scored := await self.obtain_if_free(target)) is None:  # noqa: ASYNC110
            await asyncio.sleep(min(1.0, self.lease_s / 3))
        return scored

    async def obtain_if_free(self, target: Target) -> Scored | None:
        """The target's scores; None while another evaluator computes them."""
        owner = uuid4().hex
        scoring = await self._claim(target.key, owner)
        if scoring.scored is not None:
            return scoring.scored
        return await self._compute(target, owner) if scoring.owner == owner else None

    async def _claim(self, key: str, owner: str) -> Scoring:
        new = Scoring(id=key, owner=owner, expires_at=self.now() + self.lease_s)
        if await self.store.create(new):
            return new
        claimed = await self._change(key, lambda known: known.claimed(owner, self.now(), self.lease_s))
        assert claimed is not None, "a scoring is never deleted"
        return claimed

    async def _compute(self, target: Target, owner: str) -> Scored:
        work = asyncio.create_task(self.scorer.score(target))
        renewal = asyncio.create_task(self._renew(target.key, owner))
        try:
            await asyncio.wait({work, renewal}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                # Only an error ends the renewal: the lease is lost, or the store is unavailable.
                await renewal
            return await self._finish(target.key, work.result())
        finally:
            work.cancel()
            renewal.cancel()
            await asyncio.gather(work, renewal, return_exceptions=True)
            await self._change(target.key, lambda known: known.released(owner))

    async def _renew(self, key: str, owner: str) -> None:
        while True:
            await asyncio.sleep(self.lease_s / 3)
            await self._change(key, lambda known: known.renewed(owner, self.now(), self.lease_s))

    async def _finish(self, key: str, scored: Scored) -> Scored:
        scoring = await self._change(key, lambda known: known.finished(scored))
        assert scoring is not None
        assert scoring.scored is not None
        return scoring.scored

    async def _change(self, key: str, decide: Callable[[Scoring], Scoring | None]) -> Scoring | None:
        def apply(known: Scoring) -> Decision[Scoring] | None:
            changed = decide(known)
            return None if changed is None else (changed, ())

        return await self.store.change(key, apply)
