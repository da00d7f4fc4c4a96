"""The keys that a process knows."""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from shared.security.key import Key, digest_of, new_key
from shared.security.scopes import Scope

FILE_CHECK_S = 1.0


class NotAuthenticated(Exception):
    """No key was sent, or one that is not accepted."""


@dataclass
class Keyring:
    """The keys of a file and those of the shared bucket, which take precedence.

    Keys are looked up by their secret's digest. A change of the file is seen within `FILE_CHECK_S` seconds, and at
    once when an unknown key is presented.
    """

    path: Path
    now: Callable[[], float] = time.time
    _file: tuple[Key, ...] = ()
    _shared: dict[str, Key] = field(default_factory=dict[str, Key])
    _by_digest: dict[str, Key] = field(default_factory=dict[str, Key])
    _by_id: dict[str, Key] = field(default_factory=dict[str, Key])
    _file_version: tuple[int, int] | None = None
    _next_check_at: float = float("-inf")

    def authenticate(self, authorization: str | None) -> Key:
        """The key of an `Authorization: Bearer …` header; raises `NotAuthenticated`."""
        scheme, _, secret = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise NotAuthenticated("send your API key in a header 'Authorization: Bearer <key>'")
        digest = digest_of(secret.strip())
        if time.monotonic() >= self._next_check_at:
            self._check_file()
        key = self._by_digest.get(digest) or self._newly_known(digest)
        if key is None:
            raise NotAuthenticated("this API key is not known here")
        return self.accepted(key, digest)

    def accepted(self, key: Key, digest: str) -> Key:
        """The key with the rights that it has now: at most those of its person. Raises `NotAuthenticated`."""
        if reason := key.refusal(digest, self.now()):
            raise NotAuthenticated(reason)
        if key.person == key.id:
            return key
        person = self._by_id.get(key.person)
        if person is None or person.refusal(person.sha256, self.now()):
            raise NotAuthenticated("the person of this API key was removed or disabled; ask an administrator")
        kept = tuple(scope for scope in key.scopes if person.allows(scope))
        return key if kept == key.scopes else key.model_copy(update={"scopes": kept})

    def keys(self) -> tuple[Key, ...]:
        """Every key that was not deleted, including disabled and expired ones."""
        self._check_file()
        return tuple(key for key in self._by_id.values() if not key.deleted)

    def get(self, key_id: str) -> Key | None:
        self._check_file()
        return self._by_id.get(key_id)

    def learn(self, keys: Iterable[Key]) -> None:
        """Take over keys of the shared bucket."""
        self._shared.update({key.id: key for key in keys})
        self._index()

    def create(self, name: str, scopes: tuple[Scope, ...]) -> str:
        """Add a key to the file and return its secret, which is not stored."""
        key, secret = new_key(name, scopes)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as lock:
            # Without the lock, two writers would each drop the other's key.
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._check_file()
            self._write((*self._file, key))
        return secret

    def _newly_known(self, digest: str) -> Key | None:
        self._check_file()
        return self._by_digest.get(digest)

    def _check_file(self) -> None:
        self._next_check_at = time.monotonic() + FILE_CHECK_S
        try:
            status = self.path.stat()
            version = (status.st_mtime_ns, status.st_ino)
        except FileNotFoundError:
            version = None
        if version != self._file_version:
            content = json.loads(self.path.read_bytes()) if version else []
            self._file = tuple(Key.model_validate(entry) for entry in content)
            self._file_version = version
            self._index()

    def _index(self) -> None:
        self._by_id = {**{key.id: key for key in self._file}, **self._shared}
        keys = self._by_id.values()
        # Current secrets come last, so that an old secret of another key does not hide them.
        old = {key.previous_sha256: key for key in keys if key.previous_sha256}
        self._by_digest = {**old, **{key.sha256: key for key in keys}}

    def _write(self, keys: tuple[Key, ...]) -> None:
        temporary = self.path.with_suffix(f".{os.getpid()}.part")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump([key.model_dump(exclude_defaults=True) for key in keys], file, indent=2)
        os.replace(temporary, self.path)
