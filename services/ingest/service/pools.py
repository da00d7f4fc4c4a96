"""Keeps what the engines of each base model take, from the facts of the gateway."""

from dataclasses import dataclass

from services.ingest.domain.pool import Pool, contexts
from shared.events import PoolChanged
from shared.store import Collection, Decision


@dataclass(frozen=True)
class Pools:
    """The use cases over pools."""

    pools: Collection[Pool]

    async def changed(self, event: PoolChanged) -> None:
        """Keep the newest state of a pool; facts may arrive in any order."""
        pool = Pool(
            id=event.pool,
            base_model=event.base_model,
            context=event.context_length,
            removed=event.removed,
            at=event.at,
        )

        def decide(known: Pool) -> Decision[Pool] | None:
            return (pool, ()) if known.at < pool.at else None

        if not await self.pools.create(pool):
            await self.pools.change(pool.id, decide)

    async def contexts(self) -> dict[str, int]:
        """The tokens that the engines of each base model take."""
        return contexts(await self.pools.find())
