"""An API key, and its secret."""

import hashlib
import secrets
import time

from pydantic import BaseModel, Field

from shared.security.scopes import Scope


class NotAllowed(Exception):
    """The key is known but lacks a scope."""


class Key(BaseModel):
    """A key as it is stored: the digest of its secret, its scopes and its limits. Times are in Unix seconds."""

    id: str
    name: str = Field(min_length=1, max_length=64)
    sha256: str
    scopes: tuple[Scope, ...]
    created_at: int
    requests_per_minute: int | None = Field(default=None, ge=1, le=10**9)
    tokens_per_minute: int | None = Field(default=None, ge=1, le=10**12)
    token_budget: int | None = Field(default=None, ge=0, le=10**15)
    """Total tokens that this key may use, prompts and answers together. None, here and above, is no limit."""
    max_open_jobs: int | None = Field(default=None, ge=0, le=10**6)
    """Unfinished jobs. None, here and in the next four, is the server's own limit."""
    max_files: int | None = Field(default=None, ge=0, le=10**7)
    max_stored_bytes: int | None = Field(default=None, ge=0, le=10**15)
    """Bytes of all files."""
    events_per_minute: int | None = Field(default=None, ge=1, le=10**6)
    """Events that are posted to `/v1/events`."""
    max_suites: int | None = Field(default=None, ge=0, le=10**6)
    expires_at: int | None = Field(default=None, ge=0, le=2**53)
    disabled: bool = False
    previous_sha256: str | None = None
    """The digest before the last rotation; it is accepted until `previous_until`."""
    previous_until: int = 0
    deleted: bool = False
    """Hidden and not accepted. Stored, so that a file that still holds the key does not bring it back."""
    person_id: str = ""
    """The person that the key belongs to: the id of that person's own key, which signs them in. Empty for a key that
    is a person by itself, as every key was before there were invitations."""
    language: str = ""
    team: str = Field(default="", max_length=64)

    @property
    def person(self) -> str:
        """Who acts with this key: two keys of one person own the same things."""
        return self.person_id or self.id

    @property
    def has_quotas(self) -> bool:
        """Whether the key has limits of its own on jobs, files, events or suites."""
        own = self.max_open_jobs, self.max_files, self.max_stored_bytes, self.events_per_minute, self.max_suites
        return any(limit is not None for limit in own)

    @property
    def is_own_key(self) -> bool:
        """Whether this is the key of an invited person, whose secret nobody knows."""
        return self.person_id == self.id

    def allows(self, scope: Scope) -> bool:
        """Whether this key has the scope; `admin` includes all scopes but `publish`."""
        return scope in self.scopes or (scope != "publish" and "admin" in self.scopes)

    def owns(self, owner: str) -> bool:
        """Whether this key may see and change what belongs to the person `owner`; an admin may always."""
        # What a key made before it belonged to a person is under the key's own id.
        return owner in (self.id, self.person) or "admin" in self.scopes

    def refusal(self, digest: str, now: float) -> str | None:
        """Why a secret with that digest is not accepted now; None when it is accepted."""
        if self.deleted or (digest != self.sha256 and now >= self.previous_until):
            return "this API key is not known here"
        if self.disabled:
            return "this API key is disabled"
        if self.expires_at is not None and now >= self.expires_at:
            return "this API key has expired"
        return None


def new_key(name: str, scopes: tuple[Scope, ...]) -> tuple[Key, str]:
    """A key and its secret; the key holds only the secret's digest."""
    secret = new_secret()
    key = Key(
        id=f"key_{secrets.token_hex(8)}",
        name=name,
        sha256=digest_of(secret),
        scopes=scopes,
        created_at=int(time.time()),
    )
    return key, secret


def new_secret() -> str:
    """256 random bits, with a prefix by which secret scanners find leaked keys."""
    return f"sk-assay-{secrets.token_urlsafe(32)}"


def digest_of(secret: str) -> str:
    """What is stored of a secret. A plain hash is enough: 256 random bits cannot be guessed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def require(key: Key, scope: Scope) -> None:
    """Raise `NotAllowed` unless the key has the scope."""
    if not key.allows(scope):
        raise NotAllowed(f"this API key lacks the scope '{scope}'; it has: {', '.join(key.scopes)}")
