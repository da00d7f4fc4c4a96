"""Gateways agree here on who replaces an engine's weights, and that none sends requests to it meanwhile."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

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
    """A lease for each dedicated pool, and one for each of its engines; `holder` is the name of this process.

    An engine's lease outlasts its pool: an engine that was moved to another pool may still get weights for the first.
    """

    views: Collection[WeightLease]
    holder: str
    fences: dict[str, asyncio.TimerHandle] = field(default_factory=dict[str, asyncio.TimerHandle])

    async def look_around(self, fleet: Fleet) -> None:
        """Stop requests to engines whose weights another gateway replaces, and confirm that."""
        for (base, alias), replicas in fleet.dedicated().items():
            await self._look_at(f"{base}@{alias}", replicas)

    async def take(self, pool: str, url: str) -> bool:
        """Take or renew the leases of a pool and of its next engine; false while another gateway or pool holds one."""
        if not await self._take(pool, self.holder):
            return False
        if await self._take(url, self._for_engine(pool)):
            return True
        await self.let_go(pool)
        return False

    async def let_go(self, pool: str) -> None:
        await self._let_go(pool, self.holder)

    async def let_go_engine(self, pool: str, url: str) -> None:
        await self._let_go(url, self._for_engine(pool))

    async def close(self, pool: str, replica: Replica) -> None:
        """Wait until no gateway sends requests to an engine and this one's have ended."""
        replica.close()
        lease = await self._change(pool, lambda known: closing(known, replica.url))
        # A request still on its way would be answered by the new version under the old one's name.
        while replica.in_flight or not left_alone(lease, time.time()):
            await asyncio.sleep(LOOK_S)
            if not replica.in_flight:
                lease = await self.views.get(pool) or lease

    async def during(self, pool: str, url: str, work: Awaitable[None]) -> None:
        """Do the work while both leases are renewed; raises `LeaseLost` if that fails."""
        await while_leased(work, lambda: self._renew(pool, url), LEASE_S)

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

    def _for_engine(self, pool: str) -> str:
        """The holder of an engine's lease: two pools of one gateway must not share it."""
        return f"{self.holder}/{pool}"

    async def _take(self, lease_id: str, holder: str) -> bool:
        await self.views.create(WeightLease(id=lease_id))
        lease = await self._change(lease_id, lambda known: taken(known, holder, time.time()))
        return lease.holder == holder

    async def _let_go(self, lease_id: str, holder: str) -> None:
        await self._change(lease_id, lambda known: released(known, holder))

    async def _renew(self, pool: str, url: str) -> None:
        for lease_id, holder in ((url, self._for_engine(pool)), (pool, self.holder)):
            await self._change(lease_id, partial(renewed, holder=holder, now=time.time()))

    async def _change(self, lease_id: str, decide: Callable[[WeightLease], WeightLease | None]) -> WeightLease:
        def decided(lease: WeightLease) -> tuple[WeightLease, list[EventData]] | None:
            changed = decide(lease)
            return None if changed is None else (WeightLease.model_validate(changed.model_dump()), [])

        changed = await self.views.change(lease_id, decided)
        assert changed is not None, "leases are never deleted"
        return changed


def _bar_all(replicas: Sequence[Replica]) -> None:
    for replica in replicas:
        replica.bar(True)
