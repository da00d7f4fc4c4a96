"""Lookup of events by type."""

from typing import Any

from shared.cloudevents import EVENTS, Envelope, EventData


class UnknownEventTypeError(ValueError):
    """An envelope's `type` is not one of Assay's."""


def parse(envelope: Envelope) -> EventData:
    """The event inside an envelope; raises `UnknownEventTypeError`, or pydantic's `ValidationError` for bad data."""
    event = EVENTS.get(envelope.type)
    if event is None:
        raise UnknownEventTypeError(f"unknown event type {envelope.type!r}; known are {', '.join(sorted(EVENTS))}")
    return event.model_validate(envelope.data)


def json_schemas() -> dict[str, dict[str, Any]]:
    """The JSON schema of each event's `data`, by type."""
    return {name: event.model_json_schema() for name, event in EVENTS.items()}
