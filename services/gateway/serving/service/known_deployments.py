"""All deployments in memory; only those that changed are read again."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.lineage import Lineages
from shared.store import Collection

# The clocks of gateways differ by less than this.
OVERLAP_S = 60.0
# Deployments that an earlier version of the gateway changes, side by side with this one, are seen after this time.
READ_ALL_S = 600.0


@dataclass
class KnownDeployments:
    """Keeps `lineages` equal to the stored deployments. `refresh` must not run concurrently."""

    stored: Collection[Deployment]
    now: Callable[[], float] = time.time
    lineages: Lineages = field(default_factory=Lineages)
    _by_id: dict[str, Deployment] = field(default_factory=dict[str, Deployment])
    _changed: dict[str, Deployment] = field(default_factory=dict[str, Deployment])
    _read_at: float = 0.0
    _all_read_at: float = 0.0

    async def refresh(self) -> None:
        """Read what changed since the last time."""
        now = self.now()
        everything = now - self._all_read_at >= READ_ALL_S
        for deployment in await (self.stored.find() if everything else self._read_changed()):
            known = self._by_id.get(deployment.id)
            if known == deployment:
                continue
            if known:
                self.lineages.remove(known)
            self.lineages.put(deployment)
            self._by_id[deployment.id] = self._changed[deployment.id] = deployment
        self._read_at = now
        if everything:
            self._all_read_at = now

    def take_changed(self) -> Sequence[Deployment]:
        """The deployments that changed since the last call."""
        changed, self._changed = self._changed, {}
        return tuple(changed.values())

    async def _read_changed(self) -> list[Deployment]:
        pending = list(self.lineages.pending)
        recent = await self.stored.find(saved_at__gte=self._read_at - OVERLAP_S)
        waiting = await self.stored.find(id__in=pending) if pending else []
        return [*recent, *waiting]
