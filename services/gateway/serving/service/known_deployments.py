"""All deployments in memory; only those that changed are read again."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.gateway.serving.domain.deployment import Deployment
from shared.store import Collection

# The clocks of gateways differ by less than this.
OVERLAP_S = 60.0
# Deployments that an earlier version of the gateway changes, side by side with this one, are seen after this time.
READ_ALL_S = 600.0


@dataclass
class KnownDeployments:
    """`number` rises with each change, so that what follows from the deployments is computed only then."""

    stored: Collection[Deployment]
    now: Callable[[], float] = time.time
    number: int = 0
    _by_id: dict[str, Deployment] = field(default_factory=dict[str, Deployment])
    _read_at: float = 0.0
    _all_read_at: float = 0.0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def all(self) -> Sequence[Deployment]:
        return tuple(self._by_id.values())

    async def refresh(self) -> None:
        """Read what changed since the last time."""
        async with self._lock:
            now = self.now()
            everything = now - self._all_read_at >= READ_ALL_S
            found = await (self.stored.find() if everything else self._changed())
            changed = {each.id: each for each in found if self._by_id.get(each.id) != each}
            self._by_id.update(changed)
            self.number += bool(changed)
            self._read_at = now
            if everything:
                self._all_read_at = now

    async def _changed(self) -> list[Deployment]:
        pending = [each.id for each in self._by_id.values() if each.status == "pending"]
        recent = await self.stored.find(saved_at__gte=self._read_at - OVERLAP_S)
        waiting = await self.stored.find(id__in=pending) if pending else []
        return [*recent, *waiting]
