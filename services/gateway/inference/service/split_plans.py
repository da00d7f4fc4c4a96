"""The traffic splits of all stable names, with their versions looked up."""

import time
from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from services.gateway.inference.domain.split_plan import SplitPlan, split_plans
from services.gateway.inference.domain.traffic_split import AliasSplit, SplitRevision, TrafficSplit, changed
from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.lineage import Lineages, RollbackPin
from shared.events import RoutingChanged
from shared.store import Collection


@dataclass
class SplitPlans:
    """Implements the serving part's `TrafficPlans`; `plans` are read for each chat request."""

    splits: Collection[AliasSplit]
    plans: Mapping[str, SplitPlan] = field(default_factory=dict[str, SplitPlan])

    async def refresh(
        self, lineages: Lineages, pins: Mapping[str, RollbackPin], bases: Container[str]
    ) -> list[Deployment]:
        self.plans, needed = split_plans(await self.splits.find(), lineages, pins, bases)
        return needed

    async def restore(self, event: RoutingChanged) -> None:
        """Rebuild a split from its fact; in an intact database this changes nothing."""
        empty = AliasSplit(id=event.alias, now=SplitRevision(number=0, at=0.0, by="", routing=TrafficSplit()))

        def decide(known: AliasSplit) -> tuple[AliasSplit, list[RoutingChanged]] | None:
            return None if event.revision <= known.now.number else (known.restored(event), [])

        await self.splits.upsert(empty, decide)

    async def clear(self, alias: str) -> None:
        now = time.time()

        def decide(known: AliasSplit) -> tuple[AliasSplit, list[RoutingChanged]] | None:
            return changed(known, TrafficSplit(), "rollback", now) if known.now.routing.versions() else None

        await self.splits.change(alias, decide)
