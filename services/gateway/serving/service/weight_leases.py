"""Gateways agree here on who replaces an engine's weights, and that none sends requests to it meanwhile."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.domain.replica import Replica
from services.gateway.serving.domain.weight_lease import (
    FENCE_S,
    LEASE_S,
    WeightLease,
    closed_to,
    closing,
    left_alone,
    noted,
    released,
    renewed,
    taken,
)
from shared.cloudevents import EventData
from shared.lease import while_leased
from shared.store import Collection

LOOK_S = 0.01


@dataclass(frozen=True)
class WeightLeases:
    """One lease for each dedicated pool; `holder` is the name of this process."""

    views: Collection[WeightLease]
    holder: str
    fences: dict[str, asyncio.TimerHandle] = field(default_factory=dict[str, asyncio.TimerHandle])

    async def look_around(self, fleet: Fleet) -> None:
        """Stop requests to engines whose weights another gateway replaces, and confirm that."""
        for (base, alias), replicas in fleet.dedicated().items():
            await self._look_at(f"{base}@{alias}", replicas)

    async def take(self, pool: str) -> bool:
        """Take or renew the lease; false while another gateway holds it."""
        await self.views.create(WeightLease(id=pool))
        lease = await self._change(pool, lambda known: taken(known, self.holder, time.time()))
        return lease.holder == self.holder

    async def let_go(self, pool: str) -> None:
        await self._change(pool, lambda known: released(known, self.holder))

    async def close(self, pool: str, replica: Replica) -> None:
        """Wait until no gateway sends requests to an engine and this one's have ended."""
        replica.close()
        lease = await self._change(pool, lambda known: closing(known, replica.url))
        # A request still on its way would be answered by the new version under the old one's name.
        while replica.in_flight or not left_alone(lease, time.time()):
            await asyncio.sleep(LOOK_S)
            if not replica.in_flight:
                lease = await self.views.get(pool) or lease

    async def during(self, pool: str, work: Awaitable[None]) -> None:
        """Do the work while the lease is renewed; raises `LeaseLost` if that fails."""
        await while_leased(work, lambda: self._renew(pool), LEASE_S)

    def end(self) -> None:
        for timer in self.fences.values():
            timer.cancel()

    async def _look_at(self, pool: str, replicas: Sequence[Replica]) -> None:
        await self.views.create(WeightLease(id=pool))
        lease = await self.views.get(pool)
        assert lease is not None
        shut = closed_to(lease, self.holder, time.time())
        for replica in replicas:
            replica.bar(replica.url == shut)
        answering = any(replica.barred and replica.in_flight for replica in replicas)
        turn = lease.turn - 1 if answering else lease.turn
        lease = await self._change(pool, lambda known: noted(known, self.holder, turn, time.time()))
        self._fence(pool, replicas, alone=lease.seen.keys() <= {self.holder})

    def _fence(self, pool: str, replicas: Sequence[Replica], *, alone: bool) -> None:
        """A gateway that cannot read the lease for long must not trust what it read before."""
        if (timer := self.fences.pop(pool, None)) is not None:
            timer.cancel()
        if not alone:
            self.fences[pool] = asyncio.get_running_loop().call_later(FENCE_S, _bar_all, replicas)

    async def _renew(self, pool: str) -> None:
        await self._change(pool, lambda known: renewed(known, self.holder, time.time()))

    async def _change(self, pool: str, decide: Callable[[WeightLease], WeightLease | None]) -> WeightLease:
        def decided(lease: WeightLease) -> tuple[WeightLease, list[EventData]] | None:
            changed = decide(lease)
            return None if changed is None else (WeightLease.model_validate(changed.model_dump()), [])

        changed = await self.views.change(pool, decided)
        assert changed is not None, "leases are never deleted"
        return changed


def _bar_all(replicas: Sequence[Replica]) -> None:
    for replica in replicas:
        replica.bar(True)
