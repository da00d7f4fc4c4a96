"""Pools are stored, so that they can change at run time and every gateway sees the same ones."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.gateway.common.domain.errors import BadRequest, Missing
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.domain.pool import (
    Mode,
    Pool,
    address_url,
    check_id,
    check_replicas,
    parts_of,
    seeded,
    to_discover,
)
from services.gateway.serving.ports import Resolve
from shared import telemetry
from shared.events import PoolChanged
from shared.store import Collection

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class Pools:
    """The use cases over pools; `seeds` are the pools in the settings."""

    views: Collection[Pool]
    fleet: Fleet
    resolve: Resolve
    seeds: Mapping[str, Sequence[str]]
    max_lora_rank: int
    changed: asyncio.Event
    """Wakes the reconciler."""
    addresses: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """The last known addresses of each `dns+http` entry."""
    _arranging: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def seed(self) -> None:
        """Apply the settings where they are new or changed; otherwise changes made by the API hold."""
        now = time.time()
        for base, urls in self.seeds.items():
            empty = Pool(id=base, at=now, replicas=list(urls), seed=list(urls))

            def decide(known: Pool, urls: Sequence[str] = urls) -> tuple[Pool, list[Any]] | None:
                changed = seeded(known, urls, now)
                return None if changed is None else (changed, [self._fact(changed)])

            if not await self.views.create(empty, [self._fact(empty)]):
                await self.views.change(base, decide)

    async def arrange(self) -> None:
        """Update the fleet from the stored pools."""
        # One at a time: what was read before a change must not replace it.
        async with self._arranging:
            kept = await self.views.find(removed=False)
            self.fleet.arrange({pool.id: await self._replicas(pool) for pool in kept})

    async def put(self, base: str, replicas: Sequence[str], mode: Mode | None = None, author: str = "") -> Pool:
        """Create a pool, or change its replicas; raises `BadRequest`."""
        return await self.change(base, lambda _known: replicas, mode, author)

    async def change(
        self,
        base: str,
        decide: Callable[[Sequence[str]], Sequence[str]],
        mode: Mode | None = None,
        author: str = "",
    ) -> Pool:
        """Give a pool the replicas that `decide` makes of those it has, of none for a new pool; raises `BadRequest`.

        `decide` is called again when another process was faster.
        """
        empty = Pool(id=check_id(base), at=time.time(), replicas=[], removed=True)
        if mode not in (None, empty.mode):
            named = "A pool serves adapters, unless an '@' and a stable name follow its base model's name."
            raise BadRequest(named, param="mode", code="invalid_value")
        before, taken = empty, await self._taken(base)

        def decided(known: Pool) -> tuple[Pool, list[PoolChanged]]:
            nonlocal before
            before = known
            urls = check_replicas(decide([] if known.removed else known.replicas), taken)
            return self._changed(known, author, replicas=urls, removed=False)

        changed = await self.views.upsert(empty, decided)
        try:
            # Another pool may have been given one of these engines at the same moment.
            check_replicas(changed.replicas, await self._taken(base))
        except BadRequest:
            await self._take_back(changed, before, author)
            raise
        _log.info("pool changed", base=base, replicas=changed.replicas)
        await self.arrange()
        self.changed.set()
        return changed

    async def remove(self, base: str, author: str = "") -> None:
        """Remove a pool: its engines get no more requests; raises `Missing`."""
        known = await self.views.get(base)
        if known is None or known.removed:
            raise Missing(
                f"There is no pool {base!r:.100}; GET /v1/pools lists them.", param="base", code="pool_not_found"
            )
        # It is marked, not deleted: otherwise the settings would bring it back at the next start.
        await self.views.change(base, lambda known: self._changed(known, author, removed=True))
        _log.info("pool removed", base=base)
        await self.arrange()
        self.changed.set()

    async def note_context_length(self, pool_id: str, tokens: int) -> None:
        """Record how many tokens the engines of a pool take, as a replica reports it."""

        def decide(known: Pool) -> tuple[Pool, list[PoolChanged]] | None:
            if known.context_length == tokens:
                return None
            return self._changed(known, context_length=tokens)

        await self.views.change(pool_id, decide)

    async def _taken(self, base: str) -> dict[str, str]:
        """The pools of all engines but those of `base`: a swap of an engine's weights affects every request to it."""
        return {url: pool.id for pool in await self.listed() if pool.id != base for url in pool.replicas}

    async def _take_back(self, changed: Pool, before: Pool, author: str) -> None:
        taken = await self._taken(changed.id)

        def decide(known: Pool) -> tuple[Pool, list[PoolChanged]] | None:
            # Somebody may have changed the pool since: then it loses only what another pool has.
            kept = before if known.replicas == changed.replicas else known
            urls = [url for url in kept.replicas if url not in taken]
            if known.removed or urls == known.replicas:
                return None
            return self._changed(known, author, replicas=urls, removed=kept.removed)

        await self.views.change(changed.id, decide)

    def _changed(self, known: Pool, author: str = "", **changes: Any) -> tuple[Pool, list[PoolChanged]]:
        # The time rises with each change, also where the clocks of two gateways differ.
        at = max(time.time(), known.at + 1e-6)
        changed = known.model_copy(update={**changes, "at": at})
        return changed, [self._fact(changed, author)]

    def _fact(self, pool: Pool, author: str = "") -> PoolChanged:
        base, _ = parts_of(pool.id)
        return PoolChanged(
            pool=pool.id,
            base_model=base,
            mode=pool.mode,
            replicas=tuple(pool.replicas),
            context_length=pool.context_length,
            max_lora_rank=self.max_lora_rank,
            removed=pool.removed,
            author=author,
            at=pool.at,
            seed=None if pool.seed is None else tuple(pool.seed),
        )

    async def listed(self) -> list[Pool]:
        return await self.views.find(removed=False)

    async def _replicas(self, pool: Pool) -> list[str]:
        return [url for entry in pool.replicas for url in await self._found(entry)]

    async def _found(self, entry: str) -> list[str]:
        host = to_discover(entry)
        if host is None:
            return [entry]
        try:
            self.addresses[entry] = [address_url(address, host[1]) for address in await self.resolve(*host)]
        except (OSError, TimeoutError) as error:
            # The engines are still there while the name server is down.
            _log.warning("not resolved; the last addresses stay", host=host[0], error=str(error))
        return self.addresses.get(entry, [])
