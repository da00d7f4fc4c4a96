"""The job, file or stable name that an event is about; its owner may see the event."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.gateway.common.domain.errors import BadRequest
from services.gateway.events.domain.stream_position import StreamPlace
from shared.cloudevents import Envelope
from shared.events import EVENTS


@dataclass(frozen=True)
class EventSubject:
    """`owner` is the owner in the event itself, empty if it has none."""

    job_id: str | None
    file_id: str | None
    alias: str | None
    owner: str


def subject_of(envelope: Envelope) -> EventSubject:
    """Where to look for an event's owner."""
    data = envelope.data
    made: Any = data.get("candidate")
    made = made if isinstance(made, Mapping) else {}
    return EventSubject(
        job_id=data.get("job_id") or made.get("job_id"),
        file_id=data.get("file_id"),
        alias=data.get("alias") if envelope.type == "model.rolled_back" else None,
        owner=data.get("owner") or made.get("owner") or "",
    )


def types(asked: list[str]) -> tuple[str, ...]:
    """The event types of a filter, separate or joined by commas; raises `BadRequest` for an unknown type."""
    wanted = tuple(dict.fromkeys(name for part in asked for name in part.split(",") if name))
    for name in wanted:
        if name not in EVENTS:
            known = ", ".join(sorted(EVENTS))
            message = f"Unknown event type {name[:64]!r}; known types: {known}."
            raise BadRequest(message, param="type", code="invalid_value")
    return wanted


def place(last_event_id: str | None) -> StreamPlace | None:
    """The place in the header `Last-Event-ID`; raises `BadRequest`."""
    if not last_event_id:
        return None
    try:
        return StreamPlace.parse(last_event_id)
    except ValueError:
        message = "'Last-Event-ID' must be the id of an event of this stream; without it, only new events are sent."
        raise BadRequest(message, param="Last-Event-ID", code="invalid_value") from None
