"""API keys: random, kept as SHA-256 only, each with scopes; and the command that makes one."""

import argparse
import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, Field

Scope = Literal["admin", "train", "review", "infer"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
LOOK_S = 1.0


class NotAuthenticated(Exception):
    """No key was sent, or one that is not accepted."""


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
    deleted: bool = False
    """Not shown and not accepted; kept so that a file that still holds the key does not bring it back."""

    def allows(self, scope: Scope) -> bool:
        """Whether this key may do what `scope` names; an admin may do all."""
        return scope in self.scopes or "admin" in self.scopes

    def owns(self, owner: str) -> bool:
        """Whether this key may see and change what belongs to the key with the id `owner`; an admin may all."""
        return self.id == owner or "admin" in self.scopes

    def refusal(self, digest: str, now: float) -> str | None:
        """Why the secret of that digest is not accepted now, None when it is."""
        if self.deleted or (digest != self.sha256 and now >= self.previous_until):
            return "this API key is not known here"
        if self.disabled:
            return "this API key is disabled"
        if self.expires_at is not None and now >= self.expires_at:
            return "this API key has expired"
        return None


@dataclass
class Keyring:
    """The keys of a file, and those that were stated since, which win over the file's.

    A key is found by its secret's digest, at no cost for those that are not asked for. A change of the file is seen
    within `LOOK_S` seconds, and at once by whoever comes with a key that was not known before.
    """

    path: Path
    now: Callable[[], float] = time.time
    _file: tuple[Key, ...] = ()
    _stated: dict[str, Key] = field(default_factory=dict[str, Key])
    _by_digest: dict[str, Key] = field(default_factory=dict[str, Key])
    _seen: tuple[int, int] | None = None
    _look_again_at: float = float("-inf")

    def authenticate(self, authorization: str | None) -> Key:
        """The key of an `Authorization: Bearer …` header; raises `NotAuthenticated`."""
        scheme, _, secret = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise NotAuthenticated("send your API key in a header 'Authorization: Bearer <key>'")
        digest = digest_of(secret.strip())
        if time.monotonic() >= self._look_again_at:
            self._look()
        key = self._by_digest.get(digest) or self._newly_known(digest)
        if key is None:
            raise NotAuthenticated("this API key is not known here")
        if reason := key.refusal(digest, self.now()):
            raise NotAuthenticated(reason)
        return key

    def keys(self) -> tuple[Key, ...]:
        """Every key that was not deleted, the disabled and the expired ones too."""
        self._look()
        return tuple(key for key in self._known().values() if not key.deleted)

    def get(self, key_id: str) -> Key | None:
        self._look()
        return self._known().get(key_id)

    def learn(self, keys: Iterable[Key]) -> None:
        """Take over what was stated of keys, in the file or not."""
        self._stated.update({key.id: key for key in keys})
        self._index()

    def create(self, name: str, scopes: tuple[Scope, ...]) -> str:
        """Add a key to the file and return its secret, which is kept nowhere."""
        key, secret = new_key(name, scopes)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as lock:
            # Two writers would else each keep the other's key out.
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._look()
            self._write((*self._file, key))
        return secret

    def _known(self) -> dict[str, Key]:
        return {**{key.id: key for key in self._file}, **self._stated}

    def _newly_known(self, digest: str) -> Key | None:
        self._look()
        return self._by_digest.get(digest)

    def _look(self) -> None:
        self._look_again_at = time.monotonic() + LOOK_S
        try:
            found = self.path.stat()
            seen = (found.st_mtime_ns, found.st_ino)
        except FileNotFoundError:
            seen = None
        if seen != self._seen:
            content = json.loads(self.path.read_bytes()) if seen else []
            self._file = tuple(Key.model_validate(entry) for entry in content)
            self._seen = seen
            self._index()

    def _index(self) -> None:
        keys = self._known().values()
        # The secrets in force come last, so that no old one of another key hides them.
        old = {key.previous_sha256: key for key in keys if key.previous_sha256}
        self._by_digest = {**old, **{key.sha256: key for key in keys}}

    def _write(self, keys: tuple[Key, ...]) -> None:
        temporary = self.path.with_suffix(f".{os.getpid()}.part")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump([key.model_dump(exclude_defaults=True) for key in keys], file, indent=2)
        os.replace(temporary, self.path)


def new_key(name: str, scopes: tuple[Scope, ...]) -> tuple[Key, str]:
    """A key and its secret, of which the key holds the digest alone."""
    secret = new_secret()
    made = Key(
        id=f"key_{secrets.token_hex(8)}",
        name=name,
        sha256=digest_of(secret),
        scopes=scopes,
        created_at=int(time.time()),
    )
    return made, secret


def new_secret() -> str:
    """256 random bits with a prefix by which leaks are found."""
    return f"sk-assay-{secrets.token_urlsafe(32)}"


def require(key: Key, scope: Scope) -> None:
    """Raise `NotAllowed` unless the key has the scope."""
    if not key.allows(scope):
        raise NotAllowed(f"this API key lacks the scope '{scope}'; it has: {', '.join(key.scopes)}")


def digest_of(secret: str) -> str:
    """What is kept of a secret. It has 256 random bits, so that a plain hash cannot be guessed back."""
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
