"""The public names as this gateway last read them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.gateway.serving.domain.catalog import Catalog
from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.domain.lineage import RollbackPin, wanted
from services.gateway.serving.ports import TrafficPlans
from shared.store import Collection


@dataclass
class Directory:
    """Which version each public name means. `keep` versions of each stable name stay loaded."""

    deployments: Collection[Deployment]
    stored_pins: Collection[RollbackPin]
    splits: TrafficPlans
    fleet: Fleet
    keep: int
    catalog: Catalog = field(default_factory=lambda: Catalog((), []))
    pins: Mapping[str, RollbackPin] = field(default_factory=dict[str, RollbackPin])

    async def refresh(self) -> list[Deployment]:
        """Read again what the names mean; returns the deployments that engines should hold."""
        deployments, pins = await self.deployments.find(), await self.stored_pins.find()
        bases = tuple(self.fleet.pools)
        needed = await self.splits.refresh(deployments, pins, bases)
        self.catalog = Catalog(bases, deployments, pins)
        self.pins = {pin.id: pin for pin in pins}
        chosen = {deployment.id: deployment for deployment in (*wanted(deployments, self.keep, pins), *needed)}
        return list(chosen.values())
