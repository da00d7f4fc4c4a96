"""Which version of a stable name answers a request: exact rules first, then integer weights; and which gets a copy."""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.gateway.domain.deployment import Alias, D, Target, current, lines, target
from services.gateway.domain.job_request import translated
from services.gateway.domain.refusals import BadRequest

CURRENT, PREVIOUS = "current", "previous"
KEPT = 20
_HEADER = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_SECRET = {"authorization", "cookie", "proxy-authorization"}
_BITS = 64


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name.lower()) or name.lower() in _SECRET:
        raise ValueError("is no header that requests are told apart by")
    return name.lower()


def _sticky(wish: str) -> str:
    kind, _, header = wish.partition(":")
    if wish in ("user", "key"):
        return wish
    if kind != "header":
        raise ValueError("is 'user', 'key' or 'header:<name>'")
    return f"header:{_header(header)}"


Version = Annotated[str, Field(min_length=1, max_length=64)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Arm(_Part):
    """A version and its share, in parts of the sum of all weights."""

    version: Version
    weight: int = Field(ge=0, le=10_000)


class Rule(_Part):
    """Requests that carry this header with this value go to this version, whatever the weights are."""

    header: Annotated[str, AfterValidator(_header)]
    equals: str = Field(min_length=1, max_length=256)
    version: Version


class Shadow(_Part):
    """A version that gets a copy of that many percent of the requests; its answers are thrown away."""

    version: Version
    percent: int = Field(default=100, ge=1, le=100)


class Routing(_Part):
    """How a stable name's requests are shared out. `current` and `previous` stand for what they mean at that time."""

    rules: list[Rule] = Field(default=[], max_length=32)
    split: list[Arm] = Field(default=[], max_length=16)
    sticky: Annotated[str, AfterValidator(_sticky)] | None = None
    """By what a caller always gets the same version: `user`, `key`, or `header:<name>`; None draws for each request."""
    shadow: Shadow | None = None

    @model_validator(mode="after")
    def _weighs_something(self) -> Self:
        if self.split and not any(arm.weight for arm in self.split):
            raise ValueError("the weights of 'split' are all 0")
        return self

    def versions(self) -> dict[str, str]:
        """Every version that is named, by the place where it is."""
        arms = {f"split.{n}.version": arm.version for n, arm in enumerate(self.split)}
        rules = {f"rules.{n}.version": rule.version for n, rule in enumerate(self.rules)}
        return {**rules, **arms, **({"shadow.version": self.shadow.version} if self.shadow else {})}


class Revision(BaseModel):
    """One state of an alias's routing; `number` rises with each change, `by` is the id of the key that made it."""

    number: int
    at: float
    by: str
    routing: Routing


class Route(BaseModel):
    """An alias's routing, and the last ones before it, the newest first."""

    id: str
    now: Revision
    earlier: list[Revision] = []

    def changed(self, routing: Routing, by: str, at: float) -> Self:
        newest = Revision(number=self.now.number + 1, at=at, by=by, routing=routing)
        return self.model_copy(update={"now": newest, "earlier": [self.now, *self.earlier][:KEPT]})


@dataclass(frozen=True)
class Asking:
    """What a request is told apart by. Header names are lower case, as ASGI gives them."""

    key_id: str
    user: str | None
    headers: Mapping[bytes, bytes]

    def value(self, kind: str) -> str | None:
        """What stays the same for a caller; None where the request does not say."""
        if kind == "key":
            return self.key_id
        if kind == "user":
            return self.user
        found = self.headers.get(kind.removeprefix("header:").encode())
        return found.decode("latin-1") if found else None


@dataclass(frozen=True)
class Choice:
    """Who answers, and who gets a copy."""

    target: Target
    shadow: Target | None = None


@dataclass(frozen=True)
class Plan:
    """A routing whose versions were looked up: `arms` are targets with the sum of the weights up to each of them."""

    alias: str
    current: Target
    rules: Sequence[tuple[bytes, bytes, Target]]
    arms: Sequence[tuple[int, Target]]
    sticky: str | None
    shadow: tuple[int, Target] | None

    def choose(self, asking: Asking, draw: int) -> Choice:
        """The decision for one request; `draw` is a random number of 64 bits."""
        target = self._ruled(asking) or self._weighed(asking, draw)
        copied = self.shadow is not None and (draw & 0xFFFFFFFF) % 100 < self.shadow[0]
        # A copy to the one who answers anyway would show nothing.
        shadow = self.shadow[1] if self.shadow and copied and self.shadow[1].version != target.version else None
        return Choice(target, shadow)

    def _ruled(self, asking: Asking) -> Target | None:
        return next((target for name, value, target in self.rules if asking.headers.get(name) == value), None)

    def _weighed(self, asking: Asking, draw: int) -> Target:
        if not self.arms:
            return self.current
        value = asking.value(self.sticky) if self.sticky else None
        # As a fraction of the whole, so that other weights move only those at the borders.
        place = (place_of(self.alias, value) if value is not None else draw) * self.arms[-1][0] >> _BITS
        return next(target for upto, target in self.arms if place < upto)


def place_of(alias: str, value: str) -> int:
    """A number of 64 bits that is the same for the same caller, and unlike that of other aliases."""
    return int.from_bytes(hashlib.sha256(f"{alias}\0{value}".encode()).digest()[: _BITS // 8])


def meant(version: str, line: Sequence[D], now: D) -> D | None:
    """The deployment that a routing names; None where the line has no such version (any more). `now` is the current."""
    if version == CURRENT:
        return now
    if version == PREVIOUS:
        before = [d for d in line[: line.index(now)] if d.candidate.version != now.candidate.version]
        return before[-1] if before else None
    return next((d for d in reversed(line) if d.candidate.version == version), None)


def plan(alias: str, routing: Routing, line: Sequence[D], now: D) -> Plan:
    """A routing with its versions looked up; the current one stands in for what is not there."""

    def found(version: str) -> Target:
        return target(meant(version, line, now) or now, alias)

    arms: list[tuple[int, Target]] = []
    for arm in routing.split:
        if arm.weight:
            arms.append((arm.weight + (arms[-1][0] if arms else 0), found(arm.version)))
    rules = [(rule.header.encode(), rule.equals.encode(), found(rule.version)) for rule in routing.rules]
    shadow = (routing.shadow.percent, found(routing.shadow.version)) if routing.shadow else None
    return Plan(alias, target(now, alias), rules, arms, routing.sticky, shadow)


def plans(
    routes: Iterable[Route], deployments: Iterable[D], aliases: Iterable[Alias], bases: Collection[str]
) -> tuple[dict[str, Plan], list[D]]:
    """The plan of each alias that has a routing, and the deployments that these need."""
    made: dict[str, Plan] = {}
    needed: list[D] = []
    turned_back, known = {alias.id: alias for alias in aliases}, lines(deployments)
    for route in routes:
        line, named = known.get(route.id), route.now.routing.versions()
        if line and named and route.id not in bases:
            now = current(line, turned_back.get(route.id))
            made[route.id] = plan(route.id, route.now.routing, line, now)
            needed += [found for version in named.values() if (found := meant(version, line, now))]
    return made, needed


def read(body: Any) -> Routing:
    """Check a body; raises `BadRequest` that names the first wrong parameter."""
    try:
        return Routing.model_validate(body)
    except ValidationError as error:
        raise translated(error) from None


def check(routing: Routing, line: Sequence[D], now: D) -> None:
    """Refuse versions that the alias does not have; raises `BadRequest`."""
    for place, version in routing.versions().items():
        if version not in (CURRENT, PREVIOUS) and meant(version, line, now) is None:
            raise BadRequest(f"There is no version {version!r} of this model.", param=place, code="version_not_found")


Outcome = Literal["same", "different", "answered", "failed", "skipped"]
"""Of a copy: whether it answered as the one who answered the caller did; a stream's text is not compared."""
