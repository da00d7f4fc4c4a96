"""Removes documents that are older than the settings say: one process of a service every hour."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from shared import telemetry
from shared.lease import Lease
from shared.store import BaseStore, Collection, Entity

DAY_S = 86_400.0
EVERY_S = 3600.0
_BATCH = 500
# Between two batches, so that requests do not wait for a long sweep.
_PAUSE_S = 0.2
_LEASE_ID = "retention"
_log = telemetry.logger(__name__)


class SweepTurn(Entity):
    """Which process sweeps now."""

    lease: Lease = Lease()


@dataclass(frozen=True)
class Retention:
    """Documents of one collection are removed `days` after the time in their field `by`; 0 keeps them.

    `fields` are conditions that a document must meet as well. `by` holds Unix seconds; with `by_day` an ISO date.
    """

    documents: Collection[Any]
    days: float
    by: str = "at"
    by_day: bool = False
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])

    async def remove_old(self, now: float) -> int:
        """Remove a batch of the oldest; returns how many."""
        cutoff = now - self.days * DAY_S
        if self.by_day:
            day = datetime.fromtimestamp(cutoff, UTC).date().isoformat()
            return await self.documents.remove_older(self.by, day, _BATCH, **self.fields)
        # A time of 0 is not known.
        return await self.documents.remove_older(self.by, cutoff, _BATCH, **{f"{self.by}__gt": 0}, **self.fields)


@dataclass(frozen=True)
class RetentionSweep:
    """Sweeps the collections of one service, and its inbox."""

    store: BaseStore
    turns: Collection[SweepTurn]
    inbox_days: float
    retentions: Sequence[Retention] = ()
    now: Callable[[], float] = time.time
    process: str = field(default_factory=lambda: uuid4().hex)

    async def run(self) -> None:
        """Sweep until cancelled; an outage of MongoDB only delays it."""
        while True:
            try:
                if await self._has_turn():
                    await self.sweep()
            except Exception as error:
                _log.warning("old documents not removed; will be retried", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(EVERY_S)

    async def sweep(self) -> int:
        """Remove everything that is too old; returns how many documents."""
        removed = await _all(lambda: self.store.forget_seen(self.now() - self.inbox_days * DAY_S, _BATCH))
        for each in self.retentions:
            if each.days:
                removed += await _all(lambda each=each: each.remove_old(self.now()))
        if removed:
            _log.info("old documents removed", count=removed)
        return removed

    async def _has_turn(self) -> bool:
        """Whether no other process of this service has swept within the hour."""

        def claim(turn: SweepTurn) -> tuple[SweepTurn, tuple[()]] | None:
            lease = turn.lease.claim(self.process, self.now(), EVERY_S)
            return None if lease is None else (turn.model_copy(update={"lease": lease}), ())

        turn = await self.turns.upsert(SweepTurn(id=_LEASE_ID), claim)
        return turn.lease.holder == self.process


async def _all(remove: Callable[[], Any]) -> int:
    removed = 0
    while count := await remove():
        removed += count
        if count < _BATCH:
            break
        await asyncio.sleep(_PAUSE_S)
    return removed
