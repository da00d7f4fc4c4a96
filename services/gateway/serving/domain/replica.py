"""One vLLM replica as the gateway observes it."""

from collections.abc import Collection
from dataclasses import dataclass, field

# Checks in a row that a busy engine may leave unanswered.
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
    """The stable name of a dedicated pool, whose engines hold one version as their own weights; None for adapters."""
    closed: bool = False
    """This gateway is replacing its weights and sends it no requests."""
    barred: bool = False
    """Another gateway may be replacing its weights."""
    closings: int = 0
    up: bool = False
    reason: str = "not seen yet"
    context_length: int | None = None
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

    def engine_name(self, loaded: str) -> str:
        """The engine's own name for the weights that the gateway calls `loaded`."""
        return self.base if self.alias else loaded

    def holds(self, version: str | None) -> None:
        """Record the version of its own weights; None while they are being replaced."""
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

    def mark_down(self, reason: str) -> None:
        """It may come back as a new process that holds nothing, so each version must be confirmed again."""
        self.up = False
        self.reason = reason
        self.loaded.clear()
        self.strikes = 0
        self.answered_at = NEVER

    def failed_probe(self, reason: str, now: float) -> None:
        """It is up but does not work: the pause before the next probe doubles each time."""
        self.mark_down(reason)
        self.rests_until = now + min(LONGEST_REST_S, 2.0**self.falls)
        self.falls = min(self.falls + 1, 10)

    def passed_probe(self, now: float) -> None:
        self.answered_at = now
        self.strikes = self.falls = 0

    def mark_failed(self) -> None:
        """A request failed: the next check probes it, and after several failures it gets no requests until then."""
        self.strikes = self.strikes + 1 if self.answered_at == NEVER else 1
        self.answered_at = NEVER

    def missed_check(self, reason: str) -> None:
        """It did not answer a check in time, as an engine under load may do."""
        self.unanswered += 1
        if self.unanswered >= PATIENCE:
            self.mark_down(reason)

    def forget_unlisted(self, names: Collection[str]) -> None:
        """Forget what the engine no longer lists, as after a restart."""
        self.unanswered = 0
        self.loaded.intersection_update(names)
