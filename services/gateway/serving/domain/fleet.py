"""The observed state of all replicas."""

from collections.abc import Mapping, Sequence

from services.gateway.serving.domain.pool import parts_of
from services.gateway.serving.domain.replica import Replica


class Fleet:
    """All replicas by base model, and the removed ones that still answer their last requests.

    `waiting` counts requests for an engine whose weights are being replaced.
    """

    def __init__(self, pools: Mapping[str, Sequence[str]]) -> None:
        self.pools: dict[str, tuple[Replica, ...]] = {}
        self.replicas: list[Replica] = []
        self.draining: list[Replica] = []
        self.waiting = 0
        self.arrange(pools)

    def arrange(self, pools: Mapping[str, Sequence[str]]) -> None:
        """Add new replicas, keep the state of those that stay, and send no more requests to the others."""
        before = {(replica.base, replica.alias, replica.url): replica for replica in self.replicas}
        urls = {name: list(dict.fromkeys(url.rstrip("/") for url in some)) for name, some in pools.items()}
        # In place, because others hold this mapping to know the base models.
        self.pools.clear()
        for name, some in urls.items():
            base, alias = parts_of(name)
            found = tuple(before.pop((base, alias, url), None) or Replica(url, base, alias) for url in some)
            self.pools[base] = (*self.pools.get(base, ()), *found)
        self.replicas = [replica for pool in self.pools.values() for replica in pool]
        self.draining = [replica for replica in (*self.draining, *before.values()) if replica.in_flight]

    @property
    def in_flight(self) -> int:
        return self.waiting + sum([replica.in_flight for replica in (*self.replicas, *self.draining)])

    def replicas_for(self, base: str, alias: str | None) -> list[Replica]:
        """The replicas that should hold an alias's versions: its dedicated ones, else those that serve adapters."""
        pool = self.pools.get(base, ())
        own = [replica for replica in pool if alias and replica.alias == alias]
        return own or [replica for replica in pool if replica.alias is None]

    def up(self, base: str, alias: str | None = None) -> list[Replica]:
        return [replica for replica in self.replicas_for(base, alias) if replica.up]

    def has_dedicated(self, base: str, alias: str | None) -> bool:
        """Whether this alias has a dedicated pool."""
        return any(replica.alias for replica in self.replicas_for(base, alias))

    def dedicated(self) -> dict[tuple[str, str], list[Replica]]:
        """The replicas of dedicated pools, by base model and alias."""
        found: dict[tuple[str, str], list[Replica]] = {}
        for replica in self.replicas:
            if replica.alias:
                found.setdefault((replica.base, replica.alias), []).append(replica)
        return found

    def context_lengths(self) -> dict[str, int]:
        """The smallest context length of each pool's replicas, where they report one."""
        found: dict[str, int] = {}
        for replica in self.replicas:
            if replica.up and replica.context_length:
                name = f"{replica.base}@{replica.alias}" if replica.alias else replica.base
                found[name] = min(replica.context_length, found.get(name, replica.context_length))
        return found

    def holds(self, base: str, name: str) -> bool:
        """Whether some replica may be asked for these weights."""
        return any(replica.serves(name) for replica in self.pools.get(base, ()))

    def serving(self, base: str, name: str) -> list[Replica]:
        """The replicas that may be asked, the least busy first."""
        able = [replica for replica in self.pools.get(base, ()) if replica.serves(name)]
        return sorted(able, key=lambda replica: replica.in_flight)

    def unready(self) -> dict[str, str]:
        """The pools without a replica that answers, and why."""
        pools = {base: [r for r in pool if r.alias is None] for base, pool in self.pools.items()}
        own = {f"{base}@{alias}": pool for (base, alias), pool in self.dedicated().items()}
        # A base model may have dedicated pools only.
        asked = {base: pool for base, pool in pools.items() if pool or not self.pools[base]} | own
        return {
            name: "; ".join(f"{replica.url}: {replica.reason}" for replica in pool) or "has no replicas"
            for name, pool in asked.items()
            if not any(replica.up for replica in pool)
        }
