"""The faults of a run: which, in what order, and for how long, all from one seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["kill", "suspend", "remove", "duplicate", "delay", "fill"]
ARTIFACTS = "artifacts"
DISK = "disk"
WORKER = " worker"
_KINDS: tuple[Kind, ...] = ("kill", "suspend", "remove", "duplicate", "delay", "fill")
# Outages that a lease does not survive are rare: each takes more than half a minute.
_LONG_SHARE, _LONG_S = 0.03, 35.0


@dataclass(frozen=True)
class Fault:
    """`kill` is `kill -9`, `suspend` SIGSTOP, `remove` takes a folder away, `fill` leaves no space for artifacts; all
    four end after `for_s` seconds.

    `duplicate` publishes recent events again, `delay` holds back one consumer. The next fault begins `next_s` seconds
    after this one began, so that some faults overlap.
    """

    kind: Kind
    target: str
    for_s: float
    next_s: float

    def __str__(self) -> str:
        return f"{self.kind} {self.target} for {self.for_s:.1f} s"


def schedule(seed: int, count: int, services: Sequence[str], consumers: Sequence[str], longest_s: float) -> list[Fault]:
    """The same faults for the same arguments."""
    chance = random.Random(seed)
    processes = ("nats", "mongo", "engine", *services, *(f"{name}{WORKER}" for name in services if name in _WORKERS))
    targets = {
        "kill": processes,
        "suspend": processes,
        "remove": (ARTIFACTS,),
        "duplicate": ("events",),
        "delay": consumers,
        "fill": (DISK,),
    }

    def fault() -> Fault:
        [kind] = chance.choices(_KINDS, weights=(6, 3, 1, 1, 1, 1))
        long = longest_s > 5 and chance.random() < _LONG_SHARE
        for_s = _LONG_S if long else chance.uniform(0.2, longest_s)
        return Fault(kind, chance.choice(targets[kind]), for_s, chance.uniform(0.3, 1.5) * for_s)

    return [fault() for _ in range(count)]


_WORKERS = ("ingest", "trainer", "evaluator")
