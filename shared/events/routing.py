"""Changes of pools and of how requests are routed."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.bounds import MaxBytes, MaxEntries
from shared.cloudevents import EventData
from shared.events.bounded_texts import Id, Name, Uri
from shared.events.values import Value


class PoolChanged(EventData):
    """A base model on one or more replicas was added, changed or removed. None: not known before a replica answers."""

    type: ClassVar[str] = "pool.changed"
    pool: Name
    base_model: Name
    mode: Literal["adapters", "weights"]
    replicas: Annotated[tuple[Uri, ...], MaxEntries(256)]
    context_length: int | None = Field(default=None, ge=1)
    max_lora_rank: int | None = Field(default=None, ge=0)
    removed: bool = False
    author: Id = ""
    at: float = Field(ge=0)
    seed: Annotated[tuple[Uri, ...], MaxEntries(256)] | None = None
    """The replicas in the settings when these were last applied; None if they never were, or in an older event."""

    def aggregate_id(self) -> str:
        return self.pool

    def natural_key(self) -> None:
        return None


class TrafficRule(Value):
    """Requests that carry this header with this value go to this version."""

    header: Id
    equals: Annotated[str, MaxBytes(1536)]
    version: Id


class TrafficShare(Value):
    """A version and its share of the requests, as a part of the sum of all weights."""

    version: Id
    weight: int = Field(ge=0)


class TrafficShadow(Value):
    """A version that gets a copy of this percentage of the requests."""

    version: Id
    percent: int = Field(ge=1, le=100)


class RoutingChanged(EventData):
    """The traffic of an alias is split in a new way. `revision` rises with each change."""

    type: ClassVar[str] = "routing.changed"
    alias: Id
    revision: int = Field(ge=0)
    rules: Annotated[tuple[TrafficRule, ...], MaxEntries(32)] = ()
    split: Annotated[tuple[TrafficShare, ...], MaxEntries(16)] = ()
    sticky: Id | None = None
    shadow: TrafficShadow | None = None
    author: Id
    at: float = Field(ge=0)

    def aggregate_id(self) -> str:
        return self.alias

    def natural_key(self) -> str:
        return f"{self.alias}/{self.revision}"
