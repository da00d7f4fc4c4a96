"""Webhooks: who is called for what, signed as Standard Webhooks 1.0 and OpenAI's SDK want it, and how often."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from services.gateway.domain.job_request import translated
from services.gateway.domain.names import natural_id
from services.gateway.domain.refusals import BadRequest
from shared.cloudevents import Envelope
from shared.events import EVENTS

JOB_ENDED = "job.ended"
TYPES: tuple[str, ...] = (
    *("fine_tuning.job.succeeded", "fine_tuning.job.failed", "fine_tuning.job.cancelled"),
    *sorted(EVENTS),
)
_PREFIX = "whsec_"
DAY_S = 24 * 3600.0
B = TypeVar("B", bound=BaseModel)


class Webhook(BaseModel):
    """An endpoint that is called. `at` is when it was made, in Unix seconds: it is told of nothing earlier."""

    id: str
    at: float
    changed_at: float
    owner: str
    name: str
    url: str
    event_types: list[str]
    secret: str
    previous_secret: str | None = None
    previous_until: float = 0.0
    """Until then the secret before the last rotation signs as well."""
    removed: bool = False

    def secrets(self, now: float) -> list[str]:
        former = [self.previous_secret] if self.previous_secret and now < self.previous_until else []
        return [self.secret, *former]


class Delivery(BaseModel):
    """One call: an event for an endpoint. `due_at` is its next try; `reason` is why the last one failed."""

    id: str
    at: float
    webhook_id: str
    owner: str
    event_id: str
    event_type: str
    payload: str
    status: Literal["pending", "delivered", "dead"] = "pending"
    attempts: int = 0
    due_at: float = 0.0
    reason: str | None = None
    status_code: int | None = None


D = TypeVar("D", bound=Delivery)


class Cursor(BaseModel):
    """How far the stream of events was read for webhooks."""

    id: str
    place: int


def _url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.fragment:
        raise ValueError("is no http(s) URL without a user in it")
    _ = parts.port
    return url


def _type(name: str) -> str:
    if name not in TYPES:
        raise ValueError(f"{name[:64]!r} is none of: {', '.join(TYPES)}")
    return name


Url = Annotated[str, Field(min_length=1, max_length=2048), AfterValidator(_url)]
Types = Annotated[list[Annotated[str, AfterValidator(_type)]], Field(min_length=1, max_length=len(TYPES))]
Name = Annotated[str, Field(min_length=1, max_length=128)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class WebhookRequest(_Body):
    """The body of `POST /v1/webhook_endpoints`."""

    name: Name
    url: Url
    event_types: Types


class WebhookChange(_Body):
    """The body of `POST /v1/webhook_endpoints/{id}`: what is left out stays as it is."""

    name: Name | None = None
    url: Url | None = None
    event_types: Types | None = None


class RotationRequest(_Body):
    """The body of `POST /v1/webhook_endpoints/{id}/rotate_secret`."""

    keep_old_secret_active_for_24_hours: bool = False


class TestRequest(_Body):
    """The body of `POST /v1/webhook_endpoints/{id}/test`."""

    event_type: Annotated[str, AfterValidator(_type)]


def read(model: type[B], body: Any) -> B:
    """Check a body; raises `BadRequest` that names the first wrong parameter."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise translated(error) from None


def new_secret() -> str:
    """192 random bits, as Standard Webhooks writes them."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()


def kinds(envelope: Envelope) -> tuple[str, ...]:
    """The types by which an event may be asked for: its own, and OpenAI's for a job that ended."""
    if envelope.type != JOB_ENDED:
        return (envelope.type,)
    return (f"fine_tuning.job.{envelope.data['status']}", envelope.type)


def event_id(envelope: Envelope) -> str:
    return natural_id("evt", envelope.id)


def payload(kind: str, envelope: Envelope) -> str:
    """The body of a call. OpenAI's events name their object and leave it to be asked for, Assay's own bring it."""
    data: dict[str, Any] = {"id": envelope.subject}
    if kind == envelope.type:
        data = {**envelope.data, **data}
    return _body(event_id(envelope), kind, int(envelope.time.timestamp()), data)


def sample(kind: str, now: float) -> tuple[str, str]:
    """The id and the body of a call that tells of nothing."""
    made = natural_id("evt", "test", now)
    return made, _body(made, kind, int(now), {"id": "test"})


def _body(made: str, kind: str, created_at: int, data: dict[str, Any]) -> str:
    return json.dumps({"id": made, "object": "event", "created_at": created_at, "type": kind, "data": data})


def headers(delivery_id: str, payload: str, keys: Sequence[str], now: float) -> dict[str, str]:
    """A call's headers, with a signature by each secret (Standard Webhooks 1.0, `v1`: HMAC-SHA256)."""
    signed = f"{delivery_id}.{int(now)}.{payload}".encode()
    return {
        "content-type": "application/json",
        "user-agent": "assay-webhooks/1",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": " ".join(f"v1,{_signature(secret, signed)}" for secret in keys),
    }


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def claimed(delivery: D, now: float, lease_s: float) -> D | None:
    """The delivery in the hands of one who tries it now; None where it is not due. He has `lease_s` for it."""
    if delivery.status != "pending" or delivery.due_at > now:
        return None
    return delivery.model_copy(update={"attempts": delivery.attempts + 1, "due_at": now + lease_s})


def tried(delivery: D, status: int | None, reason: str | None, delays_s: Sequence[float], now: float) -> D:
    """The delivery after a try: done, to be tried again, or given up after the last delay."""
    told: dict[str, Any] = {"status_code": status, "reason": reason}
    if reason is None:
        return delivery.model_copy(update={**told, "status": "delivered"})
    if delivery.attempts > len(delays_s):
        return delivery.model_copy(update={**told, "status": "dead"})
    return delivery.model_copy(update={**told, "due_at": now + delays_s[delivery.attempts - 1]})


def again(delivery: D, now: float) -> D:
    """A delivery to be tried from the beginning; raises `BadRequest` for one that is under way."""
    if delivery.status == "pending":
        raise BadRequest("This delivery is being tried already.", code="invalid_state")
    return delivery.model_copy(update={"status": "pending", "attempts": 0, "due_at": now})
