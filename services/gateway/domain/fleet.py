"""What is observed of the engines: which replicas answer, and which versions each of them was seen to answer with."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from services.gateway.domain.pool import parts_of

# Looks in a row that a busy engine may leave unanswered.
PATIENCE = 3
# Requests in a row that may fail before a replica must answer a probe again.
STRIKES = 3
LONGEST_REST_S = 30.0
NEVER = float("-inf")


@dataclass
class Replica:
    """One engine. `loaded` holds the versions that answered a real request since the engine started."""

    url: str
    base: str
    alias: str | None = None
    """The stable name that it is for: its own weights are a version's. None where it serves adapters."""
    closed: bool = False
    """Its weights are being replaced by this gateway: nothing is asked of it."""
    barred: bool = False
    """They may be replaced by another gateway."""
    closings: int = 0
    up: bool = False
    reason: str = "not seen yet"
    root: str = ""
    """The path from which the engine says that it loaded its base model."""
    loaded: set[str] = field(default_factory=set[str])
    in_flight: int = 0
    unanswered: int = 0
    answered_at: float = NEVER
    """When it last gave a whole answer, on the monotonic clock."""
    strikes: int = 0
    """Requests that failed since the last whole answer."""
    falls: int = 0
    """Probes that it failed since it last passed one."""
    rests_until: float = NEVER
    """When it may be probed again, on the monotonic clock."""

    def serves(self, name: str) -> bool:
        able = self.up and not self.closed and not self.barred and self.strikes < STRIKES
        return able and (name in self.loaded or (name == self.base and self.alias is None))

    def calls(self, loaded: str) -> str:
        """What the engine itself calls the weights that are known here as `loaded`."""
        return self.base if self.alias else loaded

    def holds(self, version: str | None) -> None:
        """Its own weights are this version's; None while they are nobody's."""
        self.unanswered = 0
        self.loaded = {version} if version else set()

    def close(self) -> None:
        self.closed = True
        self._may_change()

    def bar(self, barred: bool) -> None:
        if barred and not self.barred:
            self._may_change()
        self.barred = barred

    def _may_change(self) -> None:
        self.closings += 1
        self.loaded = set()

    def went_down(self, reason: str) -> None:
        """It may come back as a new process that holds nothing: what it held must be shown again."""
        self.up = False
        self.reason = reason
        self.loaded.clear()
        self.strikes = 0
        self.answered_at = NEVER

    def failed_probe(self, reason: str, now: float) -> None:
        """It is there and does not work: it is left alone, each time for longer."""
        self.went_down(reason)
        self.rests_until = now + min(LONGEST_REST_S, 2.0**self.falls)
        self.falls = min(self.falls + 1, 10)

    def passed_probe(self, now: float) -> None:
        self.answered_at = now
        self.strikes = self.falls = 0

    def doubt(self) -> None:
        """A request failed: let the next look ask for a real answer, and after some in a row wait for it."""
        self.strikes = self.strikes + 1 if self.answered_at == NEVER else 1
        self.answered_at = NEVER

    def was_silent(self, reason: str) -> None:
        """It did not answer a look in time, which an engine under load may do."""
        self.unanswered += 1
        if self.unanswered >= PATIENCE:
            self.went_down(reason)

    def lists(self, names: Collection[str]) -> None:
        """Forget what the engine no longer lists, as after a restart."""
        self.unanswered = 0
        self.loaded.intersection_update(names)


class Fleet:
    """All replicas, by base model, and those that left but still answer what they were asked.

    `waiting` callers want an engine whose weights are being replaced.
    """

    def __init__(self, pools: Mapping[str, Sequence[str]]) -> None:
        self.pools: dict[str, tuple[Replica, ...]] = {}
        self.replicas: list[Replica] = []
        self.draining: list[Replica] = []
        self.waiting = 0
        self.arrange(pools)

    def arrange(self, pools: Mapping[str, Sequence[str]]) -> None:
        """Take up new replicas, keep what is known of those that stay, and ask the others for nothing more."""
        before = {(replica.base, replica.alias, replica.url): replica for replica in self.replicas}
        urls = {name: list(dict.fromkeys(url.rstrip("/") for url in some)) for name, some in pools.items()}
        # In place: others hold this mapping to know which base models there are.
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

    def bearing(self, base: str, alias: str | None) -> list[Replica]:
        """The replicas that should hold an alias's versions: those that are for it, else those that serve adapters."""
        pool = self.pools.get(base, ())
        own = [replica for replica in pool if alias and replica.alias == alias]
        return own or [replica for replica in pool if replica.alias is None]

    def up(self, base: str, alias: str | None = None) -> list[Replica]:
        return [replica for replica in self.bearing(base, alias) if replica.up]

    def has_own(self, base: str, alias: str | None) -> bool:
        """Whether engines are there for this alias alone."""
        return any(replica.alias for replica in self.bearing(base, alias))

    def own(self) -> dict[tuple[str, str], list[Replica]]:
        """The replicas that are for one alias alone, by base model and alias."""
        found: dict[tuple[str, str], list[Replica]] = {}
        for replica in self.replicas:
            if replica.alias:
                found.setdefault((replica.base, replica.alias), []).append(replica)
        return found

    def holds(self, base: str, name: str) -> bool:
        """Whether anybody may be asked."""
        return any(replica.serves(name) for replica in self.pools.get(base, ()))

    def serving(self, base: str, name: str) -> list[Replica]:
        """The replicas that may be asked, the least busy first."""
        able = [replica for replica in self.pools.get(base, ()) if replica.serves(name)]
        return sorted(able, key=lambda replica: replica.in_flight)

    def unready(self) -> dict[str, str]:
        """The pools without a replica that answers, and why."""
        pools = {base: [r for r in pool if r.alias is None] for base, pool in self.pools.items()}
        own = {f"{base}@{alias}": pool for (base, alias), pool in self.own().items()}
        # A base model may be there for its own pools alone.
        asked = {base: pool for base, pool in pools.items() if pool or not self.pools[base]} | own
        return {
            name: "; ".join(f"{replica.url}: {replica.reason}" for replica in pool) or "has no replicas"
            for name, pool in asked.items()
            if not any(replica.up for replica in pool)
        }
