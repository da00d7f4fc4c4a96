"""The traffic split of a stable name as an administrator configured it: rules, weights, shadow, and its history."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.gateway.common.domain.errors import BadRequest
from services.gateway.common.domain.validation import bad_request
from services.gateway.serving.domain.deployment import Deployment
from shared.events.routing import RoutingChanged, TrafficRule, TrafficShadow, TrafficShare

CURRENT, PREVIOUS = "current", "previous"
KEPT = 20
_HEADER = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_SECRET = {"authorization", "cookie", "proxy-authorization"}


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name.lower()) or name.lower() in _SECRET:
        raise ValueError("is not a header for traffic splits; use a-z, 0-9 and '-', and no header with secrets")
    return name.lower()


def _sticky(wish: str) -> str:
    kind, _, header = wish.partition(":")
    if wish in ("user", "key"):
        return wish
    if kind != "header":
        raise ValueError("must be 'user', 'key' or 'header:<name>'")
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


class TrafficSplit(_Part):
    """How a stable name's requests are shared out. `current` and `previous` stand for what they mean at that time."""

    rules: list[Rule] = Field(default=[], max_length=32)
    split: list[Arm] = Field(default=[], max_length=16)
    sticky: Annotated[str, AfterValidator(_sticky)] | None = None
    """By what a caller always gets the same version: `user`, `key`, or `header:<name>`; None draws for each request."""
    shadow: Shadow | None = None

    @model_validator(mode="after")
    def _weighs_something(self) -> Self:
        if self.split and not any(arm.weight for arm in self.split):
            raise ValueError("all weights of 'split' are 0; at least one must be above 0")
        return self

    def versions(self) -> dict[str, str]:
        """Every version that is named, by the place where it is."""
        arms = {f"split.{n}.version": arm.version for n, arm in enumerate(self.split)}
        rules = {f"rules.{n}.version": rule.version for n, rule in enumerate(self.rules)}
        return {**rules, **arms, **({"shadow.version": self.shadow.version} if self.shadow else {})}


class SplitRevision(BaseModel):
    """One state of an alias's routing; `number` rises with each change, `by` is the id of the key that made it."""

    number: int
    at: float
    by: str
    routing: TrafficSplit


class AliasSplit(BaseModel):
    """An alias's routing, and the last ones before it, the newest first."""

    id: str
    now: SplitRevision
    earlier: list[SplitRevision] = []

    def changed(self, routing: TrafficSplit, by: str, at: float) -> Self:
        return self._with(SplitRevision(number=self.now.number + 1, at=at, by=by, routing=routing))

    def restored(self, event: RoutingChanged) -> Self:
        """With the change that an event says."""
        # The fields of the event are those of a split, with lists in place of tuples.
        fields = event.model_dump(mode="json", include=set(TrafficSplit.model_fields))
        routing = TrafficSplit.model_validate(fields)
        return self._with(SplitRevision(number=event.revision, at=event.at, by=event.author, routing=routing))

    def _with(self, newest: SplitRevision) -> Self:
        return self.model_copy(update={"now": newest, "earlier": [self.now, *self.earlier][:KEPT]})


def read(body: Any) -> TrafficSplit:
    """Check a body; raises `BadRequest` that names the first wrong parameter."""
    try:
        return TrafficSplit.model_validate(body)
    except ValidationError as error:
        raise bad_request(error) from None


def check(routing: TrafficSplit, lineage: Sequence[Deployment], now: Deployment) -> None:
    """Refuse versions that the alias does not have; raises `BadRequest`."""
    for place, version in routing.versions().items():
        if version not in (CURRENT, PREVIOUS) and resolve_version(version, lineage, now) is None:
            alias = now.candidate.suffix
            message = f"{alias!r} has no version {version!r}; GET /v1/models/{alias}/versions lists them."
            raise BadRequest(message, param=place, code="version_not_found")


def changed(split: AliasSplit, wish: TrafficSplit, author: str, at: float) -> tuple[AliasSplit, list[RoutingChanged]]:
    """The split after a change, and the fact that says so."""
    after = split.changed(wish, author, at)
    shadow = wish.shadow and TrafficShadow(version=wish.shadow.version, percent=wish.shadow.percent)
    fact = RoutingChanged(
        alias=split.id,
        revision=after.now.number,
        rules=tuple(TrafficRule(header=r.header, equals=r.equals, version=r.version) for r in wish.rules),
        split=tuple(TrafficShare(version=arm.version, weight=arm.weight) for arm in wish.split),
        sticky=wish.sticky,
        shadow=shadow,
        author=author,
        at=at,
    )
    return after, [fact]


def resolve_version(version: str, lineage: Sequence[Deployment], now: Deployment) -> Deployment | None:
    """The deployment that a split names, None where the lineage has no such version; `now` is the current one."""
    if version == CURRENT:
        return now
    if version == PREVIOUS:
        before = [d for d in lineage[: lineage.index(now)] if d.candidate.version != now.candidate.version]
        return before[-1] if before else None
    return next((d for d in reversed(lineage) if d.candidate.version == version), None)
