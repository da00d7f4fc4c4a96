"""A link that signs a person in once, without their key."""

import hashlib
import secrets

from pydantic import BaseModel, Field

LIFETIME_S = 3600
LONGEST_S = 7 * 24 * 3600


class SignInLink(BaseModel):
    """What is stored of a link; its secret is in the link alone. Times are in Unix seconds."""

    key_id: str
    expires_at: float


class SignInLinkRequest(BaseModel):
    """Whom the link signs in: the caller, or for an administrator the owner of any key."""

    key_id: str | None = Field(default=None, max_length=64)
    expires_in_s: int = Field(default=LIFETIME_S, ge=60, le=LONGEST_S)


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def record_name(secret: str) -> str:
    """The name of the stored record: the digest of the secret."""
    return f"link.{hashlib.sha256(secret.encode()).hexdigest()}"


def local_path(wanted: str | None) -> str:
    """Where to go after sign-in: a path of the console, never another site."""
    # Browsers read a backslash as a slash, and two slashes as the start of a host.
    harmless = wanted and wanted.startswith("/console/") and not set(wanted) & set("\\\r\n\t") and "//" not in wanted
    return wanted if wanted and harmless else "/console/"
