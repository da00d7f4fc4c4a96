"""What is observed of the engines: which replicas answer, and which versions each of them was seen to answer with."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

# Looks in a row that a busy engine may leave unanswered.
PATIENCE = 3


@dataclass
class Replica:
    """One engine. `loaded` holds the versions that answered a real request since the engine started."""

    url: str
    base: str
    up: bool = False
    reason: str = "not seen yet"
    root: str = ""
    """The path from which the engine says that it loaded its base model."""
    loaded: set[str] = field(default_factory=set[str])
    in_flight: int = 0
    unanswered: int = 0
    answered_at: float = float("-inf")
    """When it last gave a whole answer, on the monotonic clock."""

    def serves(self, name: str) -> bool:
        return self.up and (name == self.base or name in self.loaded)

    def went_down(self, reason: str) -> None:
        """It may come back as a new process that holds nothing: what it held must be shown again."""
        self.up = False
        self.reason = reason
        self.loaded.clear()
        self.doubt()

    def doubt(self) -> None:
        """Let the next look ask it for a real answer."""
        self.answered_at = float("-inf")

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
    """All replicas of all pools."""

    def __init__(self, pools: Mapping[str, Sequence[str]]) -> None:
        self.pools = {base: tuple(Replica(url.rstrip("/"), base) for url in urls) for base, urls in pools.items()}

    @property
    def replicas(self) -> list[Replica]:
        return [replica for pool in self.pools.values() for replica in pool]

    @property
    def in_flight(self) -> int:
        return sum(replica.in_flight for replica in self.replicas)

    def up(self, base: str) -> list[Replica]:
        return [replica for replica in self.pools.get(base, ()) if replica.up]

    def serving(self, base: str, name: str) -> list[Replica]:
        """The replicas that may be asked, the least busy first."""
        able = [replica for replica in self.pools.get(base, ()) if replica.serves(name)]
        return sorted(able, key=lambda replica: replica.in_flight)

    def unready(self) -> dict[str, str]:
        """The pools without a replica that answers, and why."""
        return {
            base: "; ".join(f"{replica.url}: {replica.reason}" for replica in pool) or "has no replicas"
            for base, pool in self.pools.items()
            if not any(replica.up for replica in pool)
        }
