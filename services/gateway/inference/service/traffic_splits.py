"""Traffic splits: how the requests of a stable name are shared among its versions."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from services.gateway.inference.domain import traffic_split
from services.gateway.inference.domain.traffic_split import AliasSplit, SplitRevision, TrafficSplit, changed
from services.gateway.serving.service.directory import Directory
from services.gateway.serving.service.versions import Versions
from shared import telemetry
from shared.security import Key
from shared.store import Collection, Decision

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class TrafficSplits:
    """The use cases over traffic splits; each split keeps its history."""

    splits: Collection[AliasSplit]
    versions: Versions
    directory: Directory
    changed: asyncio.Event

    async def get(self, alias: str) -> AliasSplit:
        """The split of a name, empty if it was never set; raises `Missing`."""
        await self.versions.of(alias)
        return await self.splits.get(alias) or _empty(alias)

    async def put(self, alias: str, wish: TrafficSplit, key: Key) -> AliasSplit:
        """Split the requests of a name like this from now on; raises `Missing`, or `BadRequest` for its versions."""
        return await self.change(alias, lambda _known: wish, key)

    async def change(self, alias: str, decide: Callable[[AliasSplit], TrafficSplit], key: Key) -> AliasSplit:
        """Split the requests of a name like `decide` says for the present split; raises like `put`.

        `decide` is called again when another process was faster.
        """
        lineage = await self.versions.of(alias)
        now = time.time()

        def decided(known: AliasSplit) -> Decision[AliasSplit]:
            wish = decide(known)
            traffic_split.check(wish, lineage.versions, lineage.current)
            return changed(known, wish, key.id, now)

        split = await self.splits.upsert(_empty(alias), decided)
        _log.info("traffic split changed", alias=alias, number=split.now.number)
        await self.directory.refresh()
        self.changed.set()
        return split


def _empty(alias: str) -> AliasSplit:
    return AliasSplit(id=alias, now=SplitRevision(number=0, at=0.0, by="", routing=TrafficSplit()))
