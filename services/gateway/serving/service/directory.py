"""The public names as this gateway last read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.gateway.serving.domain.catalog import Catalog
from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.domain.lineage import RollbackPin, wanted
from services.gateway.serving.ports import TrafficPlans
from services.gateway.serving.service.known_deployments import KnownDeployments
from shared.store import Collection


@dataclass
class Directory:
    """Which version each public name means. `keep` versions of each stable name stay loaded.

    What follows from the deployments is computed again only when these, the pins or the pools have changed.
    """

    deployments: Collection[Deployment]
    stored_pins: Collection[RollbackPin]
    splits: TrafficPlans
    fleet: Fleet
    keep: int
    catalog: Catalog = field(default_factory=lambda: Catalog((), []))
    pins: Mapping[str, RollbackPin] = field(default_factory=dict[str, RollbackPin])
    _known: KnownDeployments = field(init=False)
    _seen: tuple[int, Mapping[str, RollbackPin], tuple[str, ...]] | None = None
    _wanted: Sequence[Deployment] = ()

    def __post_init__(self) -> None:
        self._known = KnownDeployments(self.deployments)

    async def refresh(self) -> list[Deployment]:
        """Read again what the names mean; returns the deployments that engines should hold."""
        await self._known.refresh()
        pins = await self.stored_pins.find()
        deployments, bases = self._known.all, tuple(self.fleet.pools)
        needed = await self.splits.refresh(deployments, pins, bases)
        self.pins = {pin.id: pin for pin in pins}
        if (seen := (self._known.number, self.pins, bases)) != self._seen:
            self.catalog = Catalog(bases, deployments, pins)
            self._wanted = wanted(deployments, self.keep, pins)
            self._seen = seen
        chosen = {deployment.id: deployment for deployment in (*self._wanted, *needed)}
        return list(chosen.values())
