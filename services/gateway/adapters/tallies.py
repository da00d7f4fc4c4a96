"""What the gateways have counted, in MongoDB."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.gateway.domain.limits import Tally
from services.gateway.ports import UsageView
from shared.store import Collection, Entity


class TallyDocument(Tally, Entity):
    """One gateway's counts, keyed by the gateway."""


@dataclass(frozen=True)
class MongoTallies:
    """One document a gateway, and one for each key, version, day and gateway."""

    tallies: Collection[TallyDocument]
    rows: Collection[UsageView]

    async def put(self, tally: Tally) -> None:
        await self.tallies.put(TallyDocument.model_validate(tally.model_dump()))

    async def since(self, at: float) -> list[Tally]:
        return [*await self.tallies.find(at__gte=at)]

    async def all(self) -> list[Tally]:
        return [*await self.tallies.find()]

    async def put_usage(self, rows: Sequence[UsageView]) -> None:
        for row in rows:
            await self.rows.put(row)

    async def usage(self, days: Sequence[str], key_id: str | None) -> list[UsageView]:
        where = {"key_id": key_id} if key_id else {}
        return await self.rows.find(day__gte=days[0], day__lte=days[-1], **where)
