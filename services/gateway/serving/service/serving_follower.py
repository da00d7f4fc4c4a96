"""For a gateway without the serving part: reads what other gateways serve, and changes nothing."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from services.gateway.common.domain.model_names import loaded_name
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.service.directory import Directory
from services.gateway.serving.service.pools import Pools
from services.gateway.serving.service.replica_monitor import ReplicaMonitor
from services.gateway.serving.service.weight_leases import WeightLeases
from shared import telemetry
from shared.events import Candidate

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class ServingFollower:
    """Reads every `every_s` seconds. It takes part in the leases, so that no engine is asked during a weight swap."""

    directory: Directory
    pools: Pools
    fleet: Fleet
    monitor: ReplicaMonitor
    leases: WeightLeases
    changed: asyncio.Event
    every_s: float
    on_demand: Collection[str] = ()
    """It keeps nothing loaded, unlike `AdapterLoader`."""

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            self.changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self.every_s):
                    await self.changed.wait()
            try:
                await self.read_once()
            except Exception as error:
                _log.warning("could not read what is served", exc_info=error)

    async def load_on_demand(self, candidate: Candidate) -> None:
        """Use what a request names as soon as another gateway has loaded it: a name may move before the next look."""
        up = self.fleet.up(candidate.base_model, candidate.suffix)
        await asyncio.gather(*(self.monitor.adopt(replica, {loaded_name(candidate)}) for replica in up))

    async def read_once(self) -> None:
        """One look at the stored names and at every replica."""
        await self.pools.arrange()
        names = {deployment.loaded_name for deployment in await self.directory.refresh()}
        await self.leases.look_around(self.fleet)
        await asyncio.gather(*(self.monitor.look(replica) for replica in self.fleet.replicas))
        await asyncio.gather(*(self.monitor.adopt(replica, names) for replica in self.fleet.replicas))
