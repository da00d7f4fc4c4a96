"""Events that callers post: who may post which, and the envelope that the server makes of them."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from services.gateway.common.domain.errors import BadRequest
from services.gateway.common.domain.ids import digest
from services.gateway.common.domain.validation import bad_request
from shared import events
from shared.bounds import BoundsError
from shared.cloudevents import Envelope
from shared.events import Artifact
from shared.security import Key, Scope

CREATING = frozenset({"dataset.uploaded", "training.requested"})
"""Requests that create a file or a job; the other `training.*` requests are about an existing job."""
_OWNED = CREATING | {"evaluation.requested"}
_ENVELOPE_FIELDS = frozenset({"specversion", "id", "type", "subject", "datacontenttype", "dataschema", "data"})
_SERVER_FIELDS = frozenset({"source", "time", "traceparent"})
"""Accepted, so that a complete CloudEvent can be posted, and replaced: the server sets them."""


class PostedEvent(BaseModel):
    """A posted event by its id, kept as long as the inboxes of the consumers: an id means one content only."""

    id: str
    at: float
    digest: str


def scope_of(event_type: str) -> Scope:
    """The scope that a key needs to post an event of this type."""
    if events.EVENTS[event_type].category == "fact":
        return "publish"
    return "infer" if event_type == "feedback.recorded" else "train"


def read(body: Any, key: Key) -> Envelope:
    """A caller's CloudEvent in structured JSON mode; raises `BadRequest`.

    The server sets `source` and `time`, and puts the key's id before the `id`, so that no posted event can have the
    id of another key's event or of a service's. `id` and `subject` may be left out.
    """
    if not isinstance(body, dict):
        raise BadRequest("The body must be a CloudEvent as a JSON object.")
    for name in body.keys() - _ENVELOPE_FIELDS - _SERVER_FIELDS:
        raise BadRequest(f"Unknown parameter: {str(name)[:64]!r}.", param=str(name)[:64], code="unknown_parameter")
    event = events.EVENTS.get(str(body.get("type", "")))
    if event is None:
        known = ", ".join(sorted(events.EVENTS))
        message = f"Unknown event type {str(body.get('type'))[:64]!r}; known types: {known}."
        raise BadRequest(message, param="type", code="unknown_event_type")
    try:
        defaults = Envelope.of(event.model_validate(body.get("data")), f"key:{key.id}")
    except ValidationError as error:
        raise _within_data(error) from None
    except BoundsError as error:
        raise BadRequest(f"The event is too large: {error}.", param="data", code="invalid_value") from None
    asked = {name: body[name] for name in _ENVELOPE_FIELDS - {"data"} if name in body}
    try:
        envelope = Envelope.model_validate({**defaults.model_dump(mode="json", exclude_none=True), **asked})
        envelope = Envelope.model_validate({**envelope.model_dump(), "id": f"{key.id}:{envelope.id}"})
    except ValidationError as error:
        raise bad_request(error) from None
    if envelope.subject != defaults.subject:
        raise BadRequest(f"'subject' must be {defaults.subject!r}, as in 'data'; or leave it out.", param="subject")
    return envelope


def with_owner(envelope: Envelope, key: Key) -> Envelope:
    """The event with its owner: the key that posts it; only an administrator may name another one."""
    if envelope.type not in _OWNED or (key.allows("admin") and envelope.data.get("owner")):
        return envelope
    return envelope.model_copy(update={"data": {**envelope.data, "owner": key.person}})


def record(envelope: Envelope, at: float) -> PostedEvent:
    """What is kept of a posted event, to recognise its id."""
    return PostedEvent(id=envelope.id, at=at, digest=digest([envelope.type, envelope.subject, envelope.data]))


def suffixes(envelope: Envelope) -> list[tuple[str, str]]:
    """The stable names that jobs requested by this event would move, each with its place in the event."""
    name, spec = _spec(envelope)
    return [(f"data.{name}.suffix", spec["suffix"])] if spec.get("suffix") else []


def files(envelope: Envelope) -> dict[str, str]:
    """The files that this event names, by their places in it."""
    found = {f"data.{name}": envelope.data.get(name) for name in ("training_file", "validation_file")}
    if envelope.type == "dataset.uploaded":
        found["subject"] = envelope.subject
    name, spec = _spec(envelope)
    found[f"data.{name}.hyperparameters.general_file"] = (spec.get("hyperparameters") or {}).get("general_file")
    return {place: file_id for place, file_id in found.items() if file_id}


def artifacts(envelope: Envelope) -> Iterator[tuple[str, Artifact]]:
    """The artifacts that this event names, each with its place in it."""
    yield from _artifacts(envelope.data, "data")


def _artifacts(node: Any, place: str) -> Iterator[tuple[str, Artifact]]:
    if isinstance(node, Mapping):
        if {"uri", "sha256", "bytes"} <= node.keys():
            yield place, Artifact.model_validate(node)
        for name, value in node.items():
            yield from _artifacts(value, f"{place}.{name}")
    elif isinstance(node, list | tuple):
        for number, value in enumerate(node):
            yield from _artifacts(value, f"{place}.{number}")


def _spec(envelope: Envelope) -> tuple[str, Mapping[str, Any]]:
    name = {"training.requested": "spec", "dataset.uploaded": "train"}.get(envelope.type, "")
    return name, envelope.data.get(name) or {}


def _within_data(error: ValidationError) -> BadRequest:
    found = bad_request(error)
    param = f"data.{found.param}" if found.param else "data"
    return BadRequest(found.message.replace(f"'{found.param}'", f"'{param}'"), param=param, code=found.code)
