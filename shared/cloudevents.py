"""The CloudEvents 1.0 envelope that carries every event, in structured JSON mode (NATS protocol binding)."""

from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, Self
from uuid import NAMESPACE_URL, uuid4, uuid5

from pydantic import BaseModel, ConfigDict, Field

from shared.bounds import bounded

CONTENT_TYPE = "application/cloudevents+json"
_EVENT_NAMESPACE = uuid5(NAMESPACE_URL, "urn:assay:event")
Category = Literal["request", "fact"]
"""Requests may be posted by every key with the scope for it; facts only by a key with the scope `publish`."""
EVENTS: dict[str, type["EventData"]] = {}
"""Every event class by its type; each class adds itself when it is defined."""


def source_of(service: str) -> str:
    """The source of the events that a service publishes."""
    return f"urn:assay:{service}"


class EventData(BaseModel):
    """The `data` of one event, named in the past tense: a fact with one owner, or a request.

    A subclass names its `type` (which is also its NATS subject) and says which aggregate it is about.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    type: ClassVar[str]
    category: ClassVar[Category] = "fact"
    is_progress: ClassVar[bool] = False
    """Progress of running work: frequent, of no use later, and kept in a stream that forgets it."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if event_type := cls.__dict__.get("type"):
            EVENTS[event_type] = cls

    def aggregate_id(self) -> str:
        """The id of the job, dataset or model that the event is about; the envelope's `subject`."""
        raise TypeError(f"{type(self).__name__} does not name its aggregate")

    def natural_key(self) -> str | None:
        """What identifies the event when it is published again; None if each publication counts."""
        return self.aggregate_id()


class Envelope(BaseModel):
    """One CloudEvent. Times are RFC 3339 in UTC; `data` is one of `shared.events`."""

    model_config = ConfigDict(extra="allow")

    specversion: Literal["1.0"] = "1.0"
    id: str = Field(min_length=1, max_length=256)
    source: str = Field(min_length=1)
    type: str = Field(min_length=1)
    subject: str = Field(min_length=1)
    time: datetime = Field(default_factory=lambda: datetime.now(UTC))
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str = ""
    traceparent: str | None = None
    data: dict[str, Any]

    @classmethod
    def of(cls, data: EventData, source: str, traceparent: str | None = None) -> Self:
        """Wrap an event. With a natural key it gets the same id each time. Raises `BoundsError` for one too large."""
        key = data.natural_key()
        return cls(
            id=str(uuid4() if key is None else uuid5(_EVENT_NAMESPACE, f"{data.type}/{key}")),
            source=source_of(source),
            type=data.type,
            subject=data.aggregate_id(),
            dataschema=f"urn:assay:event:{data.type}:1",
            traceparent=traceparent,
            data=bounded(data),
        )
