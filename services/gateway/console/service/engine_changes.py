"""Adds one engine to a pool and removes one, by the use case that changes whole pools."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.gateway.common.domain.errors import Missing
from services.gateway.serving.service.pools import Pools


@dataclass(frozen=True)
class EngineChanges:
    """`author` is the id of the key that asks."""

    pools: Pools

    async def add(self, pool_id: str, url: str, author: str) -> None:
        """Add an engine; the pool is created if there is none. Raises `BadRequest`."""
        await self.pools.change(pool_id, lambda known: [*known, url], author=author)

    async def remove(self, pool_id: str, url: str, author: str) -> None:
        """Remove an engine, which finishes its answers first. Raises `Missing`."""

        def without(known: Sequence[str]) -> list[str]:
            if url not in known:
                raise Missing(f"The pool {pool_id!r:.100} has no engine {url!r:.200}.", param="url")
            return [each for each in known if each != url]

        await self.pools.change(pool_id, without, author=author)
