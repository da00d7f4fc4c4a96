"""Scores each target once; the result is stored for every later job."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from services.evaluator.scoring.domain.scoring import Scoring
from services.evaluator.scoring.domain.target import Target
from services.evaluator.scoring.domain.target_scores import TargetScores
from services.evaluator.scoring.ports import Scorer
from shared.lease import while_leased
from shared.store import Collection


@dataclass(frozen=True)
class Scorings:
    """`now` returns Unix seconds; the clocks of all evaluators must roughly agree."""

    store: Collection[Scoring]
    scorer: Scorer
    lease_s: float
    now: Callable[[], float] = time.time

    async def obtain(self, target: Target) -> TargetScores:
        """The target's scores: stored ones, or computed here or by another evaluator."""
        # The other evaluator is a different process, so there is no asyncio event to wait for.
        while (scored := await self.obtain_if_free(target)) is None:  # noqa: ASYNC110
            await asyncio.sleep(min(1.0, self.lease_s / 3))
        return scored

    async def obtain_if_free(self, target: Target) -> TargetScores | None:
        """The target's scores; None while another evaluator computes them."""
        owner = uuid4().hex
        scoring = await self._claim(target.key, owner)
        if scoring.scored is not None:
            return scoring.scored
        return await self._compute(target, owner) if scoring.lease.holder == owner else None

    async def _claim(self, key: str, owner: str) -> Scoring:
        def decide(known: Scoring) -> tuple[Scoring, tuple[()]] | None:
            claimed = known.claim(owner, self.now(), self.lease_s)
            return None if claimed is None else (claimed, ())

        return await self.store.upsert(Scoring(id=key), decide)

    async def _compute(self, target: Target, owner: str) -> TargetScores:
        async def renew() -> None:
            await self._change(target.key, lambda known: known.renew(owner, self.now(), self.lease_s))

        try:
            scored = await while_leased(self.scorer.score(target), renew, self.lease_s)
            finished = await self._change(target.key, lambda known: known.finish(scored))
        finally:
            await self._change(target.key, lambda known: known.release(owner))
        assert finished.scored is not None
        return finished.scored

    async def _change(self, key: str, change: Callable[[Scoring], Scoring]) -> Scoring:
        changed = await self.store.change(key, lambda known: (change(known), ()))
        assert changed is not None, "a scoring is never deleted"
        return changed
