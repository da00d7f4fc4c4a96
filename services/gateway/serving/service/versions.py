"""The versions of a stable name, and rollback to an earlier one."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from services.gateway.common.domain.errors import BadRequest, Missing, NoReplica, no_model
from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.domain.lineage import Lineages, RollbackPin, current
from services.gateway.serving.ports import TrafficPlans
from services.gateway.serving.service.adapter_loader import FAILURES, AdapterLoader
from services.gateway.serving.service.directory import Directory
from services.gateway.serving.service.weight_swaps import WeightSwaps
from shared import telemetry
from shared.events import ModelRolledBack
from shared.store import Collection

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class Lineage:
    """The deployed versions of an alias, the oldest first, and the one that it means now."""

    alias: str
    versions: list[Deployment]
    current: Deployment


@dataclass(frozen=True)
class Versions:
    """The use cases over a stable name's versions."""

    views: Collection[Deployment]
    pins: Collection[RollbackPin]
    splits: TrafficPlans
    directory: Directory
    fleet: Fleet
    loader: AdapterLoader
    swaps: WeightSwaps
    changed: asyncio.Event

    async def of(self, alias: str) -> Lineage:
        """All versions of an alias; raises `Missing`."""
        if alias in self.fleet.pools:
            raise no_model(alias)
        lineage = Lineages(await self.views.find(candidate__suffix=alias)).of(alias)
        if not lineage:
            raise no_model(alias)
        return Lineage(alias, list(lineage), current(lineage, await self.pins.get(alias)))

    async def roll_back(self, alias: str, version: str | None, reason: str) -> ModelRolledBack:
        """Roll an alias back, by default to the version before; it holds until a newer version is approved.

        The alias moves when every replica that is up answers with that version. Asking for the version it already means
        changes nothing. Raises `Missing`, `BadRequest` if there is no earlier version, `NoReplica` if it cannot be
        loaded now.
        """
        lineage = await self.of(alias)
        target = _before(lineage) if version is None else _named(lineage, version)
        fact = ModelRolledBack(
            alias=alias,
            version=target.candidate.version,
            previous_version=lineage.current.candidate.version,
            reason=reason,
            beyond=lineage.versions[-1].at,
            at=time.time(),
        )
        if fact.version != fact.previous_version:
            with self.loader.holding(target.candidate):
                await self._load(target)
                await self._pin(fact)
                # A rollback means that the current version is bad: no split may send requests to it.
                await self.splits.clear(alias)
                await self.directory.refresh()
            self.changed.set()
            _log.info("rolled back", alias=alias, version=fact.version, previous=fact.previous_version, reason=reason)
        return fact

    async def _load(self, target: Deployment) -> None:
        made = target.candidate
        up = self.fleet.up(made.base_model, made.suffix)
        # A dedicated pool swaps its weights after the name has moved; requests wait for that.
        load = self.swaps.prepare if self.fleet.has_dedicated(made.base_model, made.suffix) else self.loader.load
        try:
            await asyncio.gather(*(load(replica, made) for replica in up))
        except FAILURES as error:
            raise NoReplica(
                f"{target.candidate.version} cannot be loaded now: {error}", code="model_not_loaded"
            ) from None
        if not up:
            raise NoReplica("No engine of this pool answers now.", code="service_unavailable")

    async def _pin(self, fact: ModelRolledBack) -> None:
        assert fact.at is not None, "this gateway names the time"
        assert fact.beyond is not None, "this gateway names the newest version"
        wish = RollbackPin(id=fact.alias, at=fact.at, version=fact.version, beyond=fact.beyond)

        def decide(known: RollbackPin) -> tuple[RollbackPin, list[Any]] | None:
            # Two equal requests at once are one change and one event.
            return None if (known.version, known.beyond) == (wish.version, wish.beyond) else (wish, [fact])

        if not await self.pins.create(wish, [fact]):
            await self.pins.change(wish.id, decide)


def _before(lineage: Lineage) -> Deployment:
    earlier = lineage.versions[: lineage.versions.index(lineage.current)]
    # Two jobs may have produced the same weights.
    other = [d for d in earlier if d.candidate.version != lineage.current.candidate.version]
    if not other:
        message = f"{lineage.alias!r} has no version before {lineage.current.candidate.version} to roll back to."
        raise BadRequest(message, code="no_earlier")
    return other[-1]


def _named(lineage: Lineage, version: str) -> Deployment:
    for deployment in reversed(lineage.versions):
        if deployment.candidate.version == version:
            return deployment
    message = f"{lineage.alias!r} has no version {version!r:.100}; GET /v1/models/{lineage.alias}/versions lists them."
    raise Missing(message, param="version", code="version_not_found")
