"""For a gateway without the serving part: reads what other gateways serve, and changes nothing."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from services.gateway.common.domain.model_names import loaded_name
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.domain.replica import Replica
from services.gateway.serving.service.directory import Directory
from services.gateway.serving.service.pools import Pools
from services.gateway.serving.service.replica_monitor import ReplicaMonitor
from services.gateway.serving.service.weight_leases import WeightLeases
from shared import telemetry
from shared.events import Candidate

LOOK_AGAIN_S = 1.0
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
    _looks: dict[str, asyncio.Task[None]] = field(default_factory=dict[str, asyncio.Task[None]])
    """Looks at the engines for versions that requests named, by their name in engines."""

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

    async def make_available(self, candidate: Candidate) -> None:
        """Use a version that another gateway has loaded, before the next round: its name may have moved already.

        All requests of a second share one look at the engines.
        """
        name, base = loaded_name(candidate), candidate.base_model
        if self.fleet.holds(base, name):
            return
        if name not in self._looks:
            look = asyncio.create_task(self._adopt(name, self.fleet.up(base, candidate.suffix)))
            self._looks[name] = look
            asyncio.get_running_loop().call_later(LOOK_AGAIN_S, self._looks.pop, name, None)
        await asyncio.shield(self._looks[name])

    async def _adopt(self, name: str, replicas: Sequence[Replica]) -> None:
        await asyncio.gather(*(self.monitor.adopt(replica, {name}) for replica in replicas))

    async def read_once(self) -> None:
        """One look at the stored names and at every replica."""
        await self.pools.arrange()
        names = {deployment.loaded_name for deployment in await self.directory.refresh()}
        await self.leases.look_around(self.fleet)
        await asyncio.gather(*(self.monitor.look(replica) for replica in self.fleet.replicas))
        await asyncio.gather(*(self.monitor.adopt(replica, names) for replica in self.fleet.replicas))
