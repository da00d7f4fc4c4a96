"""Sessions of people in browsers: a cookie, whose digest a NATS key-value bucket holds with a time to live."""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from nats.js.errors import NotFoundError
from pydantic import BaseModel

from shared.bus import Bus
from shared.security import Key, Keyring, NotAllowed, NotAuthenticated
from shared.topology import SESSION_S, SESSIONS_PREFIX, SESSIONS_STREAM

COOKIE = "assay_session"
LOOK_AGAIN_S = 2.0
_TIMEOUT_S = 2.0
_MOST_CACHED = 10_000
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_WRONG_LAST_SEQUENCE = (10071, 10164)
"""The second is the answer of a cluster that is still storing what somebody else wrote."""


class SessionsUnreachable(Exception):
    """NATS does not answer, and this session is not known here yet."""


class SessionStore(Protocol):
    """Keeps small records for `SESSION_S` seconds; names are words joined by dots. Raises `SessionsUnreachable`."""

    async def get(self, name: str) -> bytes | None: ...

    async def create(self, name: str, content: bytes) -> None: ...

    async def take(self, name: str) -> bytes | None:
        """Get and remove; of several callers at once, one gets it."""
        ...

    async def purge(self, pattern: str) -> None:
        """Remove every record that the pattern names; its last word may be `>`."""
        ...


class Session(BaseModel):
    """Signs in with the rights of one key: when that key ends, the session ends. Times are in Unix seconds."""

    key_id: str
    expires_at: float


@dataclass
class Sessions:
    """Starts, finds and ends sessions. A cookie is `<key id>.<secret>`; the bucket holds the secret's digest.

    A session is looked up again after `LOOK_AGAIN_S`, so that it ends everywhere within that time; while NATS is
    away, sessions that are known here go on.
    """

    store: SessionStore
    keyring: Keyring
    now: Callable[[], float] = time.time
    _cache: dict[str, tuple[Session, float]] = field(default_factory=dict[str, tuple[Session, float]])

    async def start(self, key: Key) -> str:
        """A new session of that key; returns the cookie's value."""
        cookie = f"{key.id}.{secrets.token_urlsafe(32)}"
        session = Session(key_id=key.id, expires_at=self.now() + SESSION_S)
        await self.store.create(_name(cookie), session.model_dump_json().encode())
        return cookie

    async def key_of(self, cookie: str) -> Key:
        """The key of a session; raises `NotAuthenticated` or `SessionsUnreachable`."""
        session = await self._find(cookie)
        if session is None or self.now() >= session.expires_at:
            raise NotAuthenticated("this session has ended; sign in again")
        key = self.keyring.get(session.key_id)
        if key is None:
            raise NotAuthenticated("the key of this session no longer exists; sign in again")
        return self.keyring.accepted(key, key.sha256)

    async def end(self, cookie: str) -> None:
        """Sign out here."""
        self._cache.pop(_name(cookie), None)
        await self.store.take(_name(cookie))

    async def end_all(self, key_id: str) -> None:
        """Sign out everywhere."""
        self._cache = {name: known for name, known in self._cache.items() if known[0].key_id != key_id}
        await self.store.purge(f"session.{key_id}.>")

    async def _find(self, cookie: str) -> Session | None:
        name = _name(cookie)
        known, looked_at = self._cache.get(name, (None, float("-inf")))
        if known and self.now() - looked_at < LOOK_AGAIN_S:
            return known
        try:
            found = await self.store.get(name)
        except SessionsUnreachable:
            if known is None:
                raise
            return known
        if found is None:
            self._cache.pop(name, None)
            return None
        if len(self._cache) >= _MOST_CACHED:
            self._cache.clear()
        session = Session.model_validate_json(found)
        self._cache[name] = (session, self.now())
        return session


@dataclass(frozen=True)
class NatsSessionStore:
    """The bucket in NATS."""

    bus: Bus

    async def get(self, name: str) -> bytes | None:
        content, _ = await self._last(name)
        return content

    async def create(self, name: str, content: bytes) -> None:
        await _answered(self._write(name, content, 0))

    async def take(self, name: str) -> bytes | None:
        content, place = await self._last(name)
        if content is None or not await _answered(self._write(name, b"", place)):
            return None
        return content

    async def purge(self, pattern: str) -> None:
        await _answered(self._purge(pattern))

    async def _purge(self, pattern: str) -> None:
        await self.bus.jetstream.purge_stream(SESSIONS_STREAM, subject=f"{SESSIONS_PREFIX}.{pattern}")

    async def _last(self, name: str) -> tuple[bytes | None, int]:
        message: Any = await _answered(self._message(name))
        return (message.data or None, message.seq or 0) if message else (None, 0)

    async def _message(self, name: str) -> Any:
        try:
            return await self.bus.jetstream.get_msg(SESSIONS_STREAM, subject=f"{SESSIONS_PREFIX}.{name}")
        except NotFoundError:
            return None

    async def _write(self, name: str, content: bytes, place: int) -> bool:
        """False when somebody else wrote first."""
        headers = {"Nats-Expected-Last-Subject-Sequence": str(place)}
        if not content:
            headers["KV-Operation"] = "DEL"
        try:
            await self.bus.jetstream.publish(
                f"{SESSIONS_PREFIX}.{name}", content, stream=SESSIONS_STREAM, headers=headers
            )
        except Exception as error:
            if getattr(error, "err_code", None) in _WRONG_LAST_SEQUENCE:
                return False
            raise
        return True


async def _answered(call: Any) -> Any:
    """The call's result within a few seconds; raises `SessionsUnreachable` for whatever stops it."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return await call
    except Exception as error:
        raise SessionsUnreachable(f"NATS does not answer: {type(error).__name__}: {error}") from error


def cookie_of(header: str | None) -> str | None:
    """The session's cookie in a `Cookie` header; None if there is none."""
    for part in (header or "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value.strip('"')
    return None


def check_origin(method: str, headers: Mapping[str, str]) -> None:
    """Raise `NotAllowed` for an unsafe request of a browser that another site's page sent."""
    if method in _SAFE_METHODS:
        return
    origin = headers.get("origin")
    same = headers.get("sec-fetch-site") == "same-origin" if origin is None else _host_of(origin) == headers.get("host")
    if not same:
        raise NotAllowed(f"this request comes from another origin ({origin or 'not named'}); send it from this console")


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _name(cookie: str) -> str:
    """The record's name: the key's id, so that all sessions of one key can be ended, and the secret's digest."""
    key_id, _, secret = cookie.partition(".")
    if not key_id.replace("_", "").replace("-", "").isalnum() or not key_id.isascii():
        raise NotAuthenticated("this session does not exist; sign in again")
    return f"session.{key_id}.{hashlib.sha256(secret.encode()).hexdigest()}"
