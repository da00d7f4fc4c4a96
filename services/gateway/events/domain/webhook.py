"""A webhook endpoint, and the bodies of requests about it."""

import base64
import secrets
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from services.gateway.common.domain.validation import bad_request
from shared.events import EVENTS

TYPES: tuple[str, ...] = (
    *("fine_tuning.job.succeeded", "fine_tuning.job.failed", "fine_tuning.job.cancelled"),
    *sorted(EVENTS),
)
_PREFIX = "whsec_"
DAY_S = 24 * 3600.0
B = TypeVar("B", bound=BaseModel)


class Webhook(BaseModel):
    """An endpoint. `at` is when it was created, in Unix seconds: it gets no earlier events."""

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
    """Until then the previous secret signs too, in Unix seconds."""
    removed: bool = False

    def secrets(self, now: float) -> list[str]:
        former = [self.previous_secret] if self.previous_secret and now < self.previous_until else []
        return [self.secret, *former]


def _url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.fragment:
        raise ValueError("must be an http(s) URL without user name, password and fragment")
    _ = parts.port
    return url


def _type(name: str) -> str:
    if name not in TYPES:
        raise ValueError(f"unknown event type {name[:64]!r}; known types: {', '.join(TYPES)}")
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
        raise bad_request(error) from None


def new_secret() -> str:
    """192 random bits, as Standard Webhooks writes them."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()
