"""Events that callers post: which key may say what, and what an envelope must hold."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from services.gateway.common.domain.errors import BadRequest
from services.gateway.common.domain.validation import bad_request
from shared import events
from shared.cloudevents import Envelope
from shared.security import Key, Scope

OWNED = ("dataset.uploaded", "training.requested")
"""The events that bring a file or a job into being; all others of `training.*` are about one that is there."""
_SCOPES: Mapping[str, Scope] = {"dataset.uploaded": "train", "feedback.recorded": "infer"}


def scope_of(event_type: str) -> Scope:
    """The scope that a key needs to state such a fact."""
    if event_type.startswith("training."):
        return "train"
    if event_type.startswith("review."):
        return "review"
    return _SCOPES.get(event_type, "admin")


def read(body: Any, source: str) -> Envelope:
    """A caller's CloudEvent in structured JSON mode; raises `BadRequest`.

    `id`, `source` and `subject` may be left out: they follow from the fact and from who posts it.
    """
    if not isinstance(body, dict):
        raise BadRequest("The body must be a CloudEvent as a JSON object.")
    event = events.EVENTS.get(str(body.get("type", "")))
    if event is None:
        known = ", ".join(sorted(events.EVENTS))
        raise BadRequest(f"Unknown event type; known are: {known}.", param="type", code="unknown_event_type")
    try:
        fact = event.model_validate(body.get("data"))
    except ValidationError as error:
        raise _within_data(error) from None
    defaults = Envelope.of(fact, source).model_dump(mode="json", exclude_none=True)
    try:
        envelope = Envelope.model_validate({**defaults, **body, "data": defaults["data"]})
    except ValidationError as error:
        raise bad_request(error) from None
    if envelope.subject != fact.aggregate_id():
        raise BadRequest(f"'subject' must be {fact.aggregate_id()!r}, as the data say.", param="subject")
    return envelope


def stated_by(envelope: Envelope, key: Key) -> Envelope:
    """The event with its owner in it: whoever posts it; an administrator may state another one."""
    if envelope.type not in OWNED or (key.allows("admin") and envelope.data.get("owner")):
        return envelope
    return envelope.model_copy(update={"data": {**envelope.data, "owner": key.id}})


def suffixes(envelope: Envelope) -> list[tuple[str, str]]:
    """The stable names that jobs asked for by this event would move, each with its place in the event."""
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


def _spec(envelope: Envelope) -> tuple[str, Mapping[str, Any]]:
    name = {"training.requested": "spec", "dataset.uploaded": "train"}.get(envelope.type, "")
    return name, envelope.data.get(name) or {}


def _within_data(error: ValidationError) -> BadRequest:
    found = bad_request(error)
    param = f"data.{found.param}" if found.param else "data"
    return BadRequest(found.message.replace(f"'{found.param}'", f"'{param}'"), param=param, code=found.code)
