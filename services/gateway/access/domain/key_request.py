"""API keys as an administrator makes and changes them."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.gateway.common.domain.errors import BadRequest
from services.gateway.common.domain.validation import bad_request
from shared.security import Key, Scope

DAY_S = 24 * 3600
LONGEST_GRACE_S = 30 * DAY_S
Decide = Callable[[Key], Key]
B = TypeVar("B", bound=BaseModel)
_ID = re.compile(r"key_[0-9a-f]{1,64}")


class Limits(BaseModel):
    """What bounds a key.

    Without a value, the first three and `expires_at` (in Unix seconds) do not bound it, and for the others the
    server's limit holds.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    requests_per_minute: int | None = Field(default=None, ge=1, le=10**9)
    tokens_per_minute: int | None = Field(default=None, ge=1, le=10**12)
    token_budget: int | None = Field(default=None, ge=0, le=10**15)
    max_open_jobs: int | None = Field(default=None, ge=0, le=10**6)
    max_files: int | None = Field(default=None, ge=0, le=10**7)
    max_stored_bytes: int | None = Field(default=None, ge=0, le=10**15)
    events_per_minute: int | None = Field(default=None, ge=1, le=10**6)
    max_suites: int | None = Field(default=None, ge=0, le=10**6)
    expires_at: int | None = Field(default=None, ge=0, le=2**53)


class KeyRequest(Limits):
    """The body of `POST /v1/keys`."""

    name: str = Field(min_length=1, max_length=64)
    scopes: list[Scope] = Field(min_length=1, max_length=4)
    person_id: str = Field(default="", max_length=80)
    """The person that the key belongs to; empty for a key that is a person by itself."""


class KeyChange(Limits):
    """The body of `PATCH /v1/keys/{id}`: what is left out stays as it is."""

    name: str = Field(default="", min_length=1, max_length=64)
    scopes: list[Scope] = Field(default=[], min_length=1, max_length=4)
    disabled: bool = False

    def applied(self, key: Key) -> Key:
        asked = self.model_dump(exclude_unset=True)
        if "scopes" in asked:
            asked["scopes"] = tuple(dict.fromkeys(self.scopes))
        return key.model_copy(update=asked)


class Rotation(BaseModel):
    """The body of `POST /v1/keys/{id}/rotate`: the old secret is accepted for `grace_s` seconds more."""

    model_config = ConfigDict(extra="forbid", strict=True)

    grace_s: int = Field(default=DAY_S, ge=0, le=LONGEST_GRACE_S)

    def applied(self, key: Key, digest: str, now: int) -> Key:
        return key.model_copy(
            update={"sha256": digest, "previous_sha256": key.sha256, "previous_until": now + self.grace_s}
        )


def read_request(body: Any) -> KeyRequest:
    """Check a body; raises `BadRequest` that names the first wrong parameter."""
    return _read(KeyRequest, body)


def read_change(body: Any) -> KeyChange:
    return _read(KeyChange, body)


def read_rotation(body: Any) -> Rotation:
    return _read(Rotation, body)


def is_id(text: str) -> bool:
    """Whether this can be a key's id at all; ids become part of subjects in NATS."""
    return _ID.fullmatch(text) is not None


def refuse_expired(asked: KeyRequest, now: float) -> None:
    """A new key must be of use: a time that has passed is a slip, such as one in another unit."""
    if asked.expires_at is not None and asked.expires_at <= now:
        raise BadRequest(
            f"'expires_at' is {asked.expires_at}, and it is {int(now)} now: give a later time in Unix seconds.",
            param="expires_at",
        )


def refuse_lockout(asking: Key, changed: Key, now: float) -> None:
    """A key must not take its own rights away: the last administrator would be locked out by a slip."""
    gone = changed.disabled or changed.deleted or "admin" not in changed.scopes
    if changed.id == asking.id and (gone or (changed.expires_at is not None and changed.expires_at <= now)):
        raise BadRequest("A key cannot remove its own rights; use another admin key.", code="own_key")


def _read(model: type[B], body: Any) -> B:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise bad_request(error) from None
