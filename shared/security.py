"""API keys: random, kept as SHA-256 only, each with scopes; and the command that makes one."""

import argparse
import hashlib
import hmac
import json
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, Field

Scope = Literal["admin", "train", "review", "infer"]
SCOPES: tuple[Scope, ...] = get_args(Scope)


class NotAuthenticated(Exception):
    """No key was sent, or one that is not known."""


class NotAllowed(Exception):
    """The key is known but lacks a scope."""


class Key(BaseModel):
    """A key as it is kept: its secret's digest, what it may do, and how much. Times are in Unix seconds."""

    id: str
    name: str = Field(min_length=1, max_length=64)
    sha256: str
    scopes: tuple[Scope, ...]
    created_at: int
    requests_per_minute: int | None = Field(default=None, ge=1, le=10**9)
    tokens_per_minute: int | None = Field(default=None, ge=1, le=10**12)
    token_budget: int | None = Field(default=None, ge=0, le=10**15)
    """Tokens in all that this key may use, prompts and answers together; None for no limit, as with the two above."""
    expires_at: int | None = Field(default=None, ge=0, le=2**53)
    disabled: bool = False
    previous_sha256: str | None = None
    """The digest before the last rotation, which holds until `previous_until`."""
    previous_until: int = 0

    def allows(self, scope: Scope) -> bool:
        """Whether this key may do what `scope` names; an admin may do all."""
        return scope in self.scopes or "admin" in self.scopes


@dataclass
class Keyring:
    """The keys in a file, read again when the file changes."""

    path: Path
    _keys: tuple[Key, ...] = ()
    _read_at_ns: int = -1

    def authenticate(self, authorization: str | None) -> Key:
        """The key of an `Authorization: Bearer …` header; raises `NotAuthenticated`."""
        scheme, _, secret = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise NotAuthenticated("send your API key in a header 'Authorization: Bearer <key>'")
        digest = _digest(secret.strip())
        for key in self.keys():
            if hmac.compare_digest(key.sha256, digest):
                return key
        raise NotAuthenticated("this API key is not known here")

    def keys(self) -> tuple[Key, ...]:
        changed_at_ns = self.path.stat().st_mtime_ns if self.path.exists() else -1
        if changed_at_ns != self._read_at_ns:
            content = json.loads(self.path.read_bytes()) if changed_at_ns != -1 else []
            self._keys = tuple(Key.model_validate(entry) for entry in content)
            self._read_at_ns = changed_at_ns
        return self._keys

    def create(self, name: str, scopes: tuple[Scope, ...]) -> str:
        """Add a key and return its secret, which is kept nowhere."""
        secret = f"sk-assay-{secrets.token_urlsafe(32)}"
        key = Key(
            id=f"key_{secrets.token_hex(8)}",
            name=name,
            sha256=_digest(secret),
            scopes=scopes,
            created_at=int(time.time()),
        )
        self._write((*self.keys(), key))
        return secret

    def _write(self, keys: tuple[Key, ...]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".part")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump([key.model_dump() for key in keys], file, indent=2)
        os.replace(temporary, self.path)


def require(key: Key, scope: Scope) -> None:
    """Raise `NotAllowed` unless the key has the scope."""
    if not key.allows(scope):
        raise NotAllowed(f"this API key lacks the scope '{scope}'; it has: {', '.join(key.scopes)}")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def main() -> None:
    """`python -m shared.security create --name NAME --scope SCOPE`: print a new key once."""
    parser = argparse.ArgumentParser(description="Manage API keys.")
    create = parser.add_subparsers(required=True).add_parser("create", help="make a key and print it once")
    create.add_argument("--name", required=True)
    create.add_argument("--scope", action="append", required=True, choices=SCOPES)
    create.add_argument("--keys-file", type=Path, default=Path(".assay/keys.json"))
    arguments = parser.parse_args()
    print(Keyring(arguments.keys_file).create(arguments.name, tuple(arguments.scope)))


if __name__ == "__main__":
    main()
