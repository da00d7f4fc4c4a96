"""The public names as this gateway last read them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.gateway.serving.domain.catalog import Catalog
from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.domain.lineage import RollbackPin
from services.gateway.serving.ports import TrafficPlans
from services.gateway.serving.service.known_deployments import KnownDeployments
from shared.store import Collection


@dataclass
class Directory:
    """Which version each public name means. `keep` versions of each stable name stay loaded.

    Only names whose deployments or pins have changed are looked up again, all of them when the pools have changed.
    """

    deployments: Collection[Deployment]
    stored_pins: Collection[RollbackPin]
    splits: TrafficPlans
    fleet: Fleet
    keep: int
    catalog: Catalog = field(default_factory=Catalog)
    pins: Mapping[str, RollbackPin] = field(default_factory=dict[str, RollbackPin])
    _known: KnownDeployments = field(init=False)
    _wanted: Mapping[str, Deployment] = field(default_factory=dict[str, Deployment])
    _needed: Sequence[Deployment] = ()
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._known = KnownDeployments(self.deployments)

    async def refresh(self) -> list[Deployment]:
        """Read again what the names mean; returns the deployments that engines should hold."""
        async with self._lock:
            await self._known.refresh()
            pins = {pin.id: pin for pin in await self.stored_pins.find()}
            bases = tuple(self.fleet.pools)
            self._needed = await self.splits.refresh(self._known.lineages, pins, bases)
            self._follow(pins, bases)
            return self._chosen()

    def wanted_names(self) -> set[str]:
        """The names in engines of the deployments that these should hold, as far as this gateway knows by now."""
        return {deployment.loaded_name for deployment in self._chosen()}

    def _chosen(self) -> list[Deployment]:
        return list({**self._wanted, **{deployment.id: deployment for deployment in self._needed}}.values())

    def _follow(self, pins: Mapping[str, RollbackPin], bases: tuple[str, ...]) -> None:
        lineages, changed = self._known.lineages, self._known.take_changed()
        moved = {name for name in {*pins, *self.pins} if pins.get(name) != self.pins.get(name)}
        self.pins = pins
        if bases != self.catalog.bases:
            self.catalog = Catalog(bases, lineages, pins)
        elif changed or moved:
            self.catalog.update(changed, lineages, pins)
            self.catalog.resolve(moved, lineages, pins)
        else:
            return
        self._wanted = {deployment.id: deployment for deployment in lineages.wanted(self.keep, pins)}
