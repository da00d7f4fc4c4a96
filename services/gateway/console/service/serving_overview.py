"""What the Serve page shows: the names that are served, one name with its versions, and the engines."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from services.gateway.console.domain.served_name import ServedName, served_name
from services.gateway.inference.domain.traffic_split import AliasSplit
from services.gateway.inference.service.split_plans import SplitPlans
from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.pool import Pool, parts_of
from services.gateway.serving.domain.replica import Replica
from services.gateway.serving.service.directory import Directory
from services.gateway.serving.service.pools import Pools
from shared.store import Collection

LISTED = 50
"""The list of names shows so many; the field above it finds the others."""


@dataclass(frozen=True)
class NameRow:
    """A stable name in the list: the version that it means, and whether its requests are split."""

    alias: str
    version: str
    versions_in_split: int
    shadow_percent: int


@dataclass(frozen=True)
class EngineRow:
    """One engine as this gateway sees it; `holds` are the names under which callers reach what it has loaded."""

    url: str
    state: Literal["up", "down", "draining"]
    reason: str
    in_flight: int
    rests_s: float
    holds: Sequence[tuple[str, str]]
    """Version and stable name, or the model's name if it has no stable name."""


@dataclass(frozen=True)
class PoolRow:
    pool: Pool
    engines: Sequence[EngineRow]


@dataclass(frozen=True)
class ServingOverviews:
    """Reads the page in at most four queries, whatever the number of names."""

    directory: Directory
    splits: SplitPlans
    deployments: Collection[Deployment]
    splits_of_names: Collection[AliasSplit]
    pools: Pools

    def names(self, wanted: str = "") -> tuple[list[NameRow], int]:
        """The first names that contain `wanted`, and how many there are in all."""
        catalog = self.directory.catalog
        found: list[NameRow] = []
        for alias in sorted(name for name in catalog.names() if wanted.lower() in name.lower()):
            target = catalog.find(alias)
            if target and target.candidate and target.candidate.suffix == alias:
                found.append(self._row(alias, target.version))
        return found[:LISTED], len(found)

    async def name(self, alias: str) -> ServedName | None:
        """One name with all its versions; None where nothing was approved under it."""
        deployments = await self.deployments.find(candidate__suffix=alias)
        if not deployments:
            return None
        split = await self.splits_of_names.get(alias)
        return served_name(alias, deployments, split, await self.directory.stored_pins.get(alias))

    async def engines(self) -> list[PoolRow]:
        """Every pool with its engines, those that finish their last answers too."""
        return [PoolRow(pool, self._engines(pool)) for pool in await self.pools.listed()]

    def holders(self, version: Deployment) -> tuple[int, int]:
        """How many of the engines that are up hold a version, and how many are up."""
        made = version.candidate
        up = self.pools.fleet.up(made.base_model, made.suffix)
        return sum(replica.serves(version.loaded_name) for replica in up), len(up)

    def _row(self, alias: str, version: str) -> NameRow:
        plan = self.splits.plans.get(alias)
        shadow = plan.shadow[0] if plan and plan.shadow else 0
        return NameRow(alias, version, len(plan.arms) if plan else 0, shadow)

    def _engines(self, pool: Pool) -> list[EngineRow]:
        fleet, (base, alias) = self.pools.fleet, parts_of(pool.id)
        callable_as = self._callable_as()
        known = [replica for replica in fleet.pools.get(base, ()) if replica.alias == alias]
        rows = [_engine(replica, "up" if replica.up else "down", callable_as) for replica in known]
        leaving = [replica for replica in fleet.draining if (replica.base, replica.alias) == (base, alias)]
        return rows + [_engine(replica, "draining", callable_as) for replica in leaving]

    def _callable_as(self) -> dict[str, tuple[str, str]]:
        """Version and public name by the name under which engines hold the weights."""
        catalog = self.directory.catalog
        targets = [target for name in catalog.names() if (target := catalog.find(name)) and target.candidate]
        return {
            target.loaded: (target.version, target.candidate.suffix or target.public)
            for target in targets
            if target.candidate
        }


def _engine(
    replica: Replica, state: Literal["up", "down", "draining"], callable_as: dict[str, tuple[str, str]]
) -> EngineRow:
    holds = [callable_as.get(name, (name.removeprefix("assay-"), "")) for name in sorted(replica.loaded)]
    return EngineRow(
        url=replica.url,
        state=state,
        reason="" if state == "up" else replica.reason,
        in_flight=replica.in_flight,
        rests_s=max(0.0, replica.rests_until - time.monotonic()),
        holds=holds,
    )
