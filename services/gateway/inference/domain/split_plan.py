"""A traffic split with its versions looked up: decides which version answers a request, and which gets a copy."""

import hashlib
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from services.gateway.inference.domain.traffic_split import AliasSplit, TrafficSplit, resolve_version
from services.gateway.serving.domain.catalog import Target, target
from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.lineage import Lineages, RollbackPin, current

_BITS = 64


@dataclass(frozen=True)
class RequestTraits:
    """The traits by which a split tells requests apart. Header names are lower case, as in ASGI."""

    key_id: str
    user: str | None
    headers: Mapping[bytes, bytes]

    def value(self, kind: str) -> str | None:
        """The value of the sticky trait; None if the request lacks it."""
        if kind == "key":
            return self.key_id
        if kind == "user":
            return self.user
        found = self.headers.get(kind.removeprefix("header:").encode())
        return found.decode("latin-1") if found else None


@dataclass(frozen=True)
class Choice:
    """The version that answers, and the one that gets a copy."""

    target: Target
    shadow: Target | None = None


@dataclass(frozen=True)
class SplitPlan:
    """A split with its versions resolved: `arms` are targets with the cumulative sum of the weights."""

    alias: str
    current: Target
    rules: Sequence[tuple[bytes, bytes, Target]]
    arms: Sequence[tuple[int, Target]]
    sticky: str | None
    shadow: tuple[int, Target] | None

    def choose(self, asking: RequestTraits, draw: int) -> Choice:
        """The decision for one request; `draw` is a random number of 64 bits."""
        target = self._ruled(asking) or self._weighed(asking, draw)
        copied = self.shadow is not None and (draw & 0xFFFFFFFF) % 100 < self.shadow[0]
        # A copy to the version that answers anyway would show nothing.
        shadow = self.shadow[1] if self.shadow and copied and self.shadow[1].version != target.version else None
        return Choice(target, shadow)

    def _ruled(self, asking: RequestTraits) -> Target | None:
        return next((target for name, value, target in self.rules if asking.headers.get(name) == value), None)

    def _weighed(self, asking: RequestTraits, draw: int) -> Target:
        if not self.arms:
            return self.current
        value = asking.value(self.sticky) if self.sticky else None
        # As a fraction of the whole, so that a change of weights moves only the requests at the borders.
        place = (hash_position(self.alias, value) if value is not None else draw) * self.arms[-1][0] >> _BITS
        return next(target for upto, target in self.arms if place < upto)


def hash_position(alias: str, value: str) -> int:
    """A 64-bit hash that is stable for a caller and independent between aliases."""
    return int.from_bytes(hashlib.sha256(f"{alias}\0{value}".encode()).digest()[: _BITS // 8])


def split_plan(alias: str, routing: TrafficSplit, lineage: Sequence[Deployment], now: Deployment) -> SplitPlan:
    """A split with its versions resolved; the current version replaces those that no longer exist."""

    def found(version: str) -> Target:
        return target(resolve_version(version, lineage, now) or now, alias)

    arms: list[tuple[int, Target]] = []
    for arm in routing.split:
        if arm.weight:
            arms.append((arm.weight + (arms[-1][0] if arms else 0), found(arm.version)))
    rules = [(rule.header.encode(), rule.equals.encode(), found(rule.version)) for rule in routing.rules]
    shadow = (routing.shadow.percent, found(routing.shadow.version)) if routing.shadow else None
    return SplitPlan(alias, target(now, alias), rules, arms, routing.sticky, shadow)


def split_plans(
    routes: Iterable[AliasSplit], lineages: Lineages, pins: Mapping[str, RollbackPin], bases: Container[str]
) -> tuple[dict[str, SplitPlan], list[Deployment]]:
    """The plan of each alias with a split, and the deployments that the plans need."""
    made: dict[str, SplitPlan] = {}
    needed: list[Deployment] = []
    for route in routes:
        lineage, named = lineages.of(route.id), route.now.routing.versions()
        if lineage and named and route.id not in bases:
            now = current(lineage, pins.get(route.id))
            made[route.id] = split_plan(route.id, route.now.routing, lineage, now)
            needed += [found for version in named.values() if (found := resolve_version(version, lineage, now))]
    return made, needed


Outcome = Literal["same", "different", "answered", "failed", "skipped"]
"""How the shadow's answer compares with the caller's; the text of a stream is not compared."""
