"""An invitation: a link that makes a person once, until it expires or is revoked."""

import hashlib
import secrets
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.gateway.common.domain.validation import bad_request
from shared.security import Scope

DAY_S = 24 * 3600
Language = Literal["", "en", "zh"]
PersonScope = Literal["admin", "train", "review", "infer"]
PersonName = Annotated[str, Field(min_length=1, max_length=64)]
Team = Annotated[str, Field(max_length=64)]
State = Literal["open", "used", "expired", "revoked"]


class Invitation(BaseModel):
    """What is stored of an invitation; its secret is in the link alone. Times are in Unix seconds."""

    id: str
    at: float
    author: str
    """The id of the key that invited."""
    name: str
    language: Language = ""
    scopes: tuple[Scope, ...]
    team: str = ""
    expires_at: float
    used_at: float | None = None
    person_id: str = ""
    """The person that it made."""
    revoked: bool = False

    def state(self, now: float) -> State:
        """Whether the link still works, or why not."""
        if self.used_at is not None:
            return "used"
        if self.revoked:
            return "revoked"
        return "open" if now < self.expires_at else "expired"


class InvitationRequest(BaseModel):
    """The body of `POST /v1/invitations`. The scope `publish` is for services, so that no person can get it."""

    model_config = ConfigDict(extra="forbid")

    name: PersonName
    language: Language = ""
    scopes: list[PersonScope] = Field(min_length=1, max_length=4)
    team: Team = ""
    expires_in_s: int = Field(default=3 * DAY_S, ge=60, le=14 * DAY_S)


class PersonChange(BaseModel):
    """The body of `PATCH /v1/people/{id}`: what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    name: PersonName = ""
    language: Language = ""
    scopes: list[PersonScope] = Field(default=[], min_length=1, max_length=4)
    team: Team = ""


def read_invitation(body: Any) -> InvitationRequest:
    """Check a body; raises `BadRequest` that names the first wrong parameter."""
    try:
        return InvitationRequest.model_validate(body)
    except ValidationError as error:
        raise bad_request(error) from None


def read_person_change(body: Any) -> PersonChange:
    try:
        return PersonChange.model_validate(body)
    except ValidationError as error:
        raise bad_request(error) from None


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def id_of(secret: str) -> str:
    """The id of the invitation with this secret, from which the secret cannot be found."""
    return f"inv-{hashlib.sha256(secret.encode()).hexdigest()[:40]}"
