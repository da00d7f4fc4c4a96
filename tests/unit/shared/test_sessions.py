"""Sessions: they end with sign-out, with their key and with time, and go on while NATS is away."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nats.js.api import RawStreamMsg
from nats.js.errors import BadRequestError

from shared.security import Key, Keyring, NotAllowed, NotAuthenticated
from shared.sessions import (
    LOOK_AGAIN_S,
    SESSION_S,
    NatsSessionStore,
    Sessions,
    SessionsUnreachable,
    check_origin,
)
from tests.browser.site import MemorySessionStore


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> MemorySessionStore:
    return MemorySessionStore()


@pytest.fixture
def keyring(tmp_path: Path, clock: Clock) -> Keyring:
    return Keyring(tmp_path / "keys.json", clock)


@pytest.fixture
def key(keyring: Keyring) -> Key:
    return keyring.authenticate("Bearer " + keyring.create("Ana", ("train",)))


@pytest.fixture
def sessions(store: MemorySessionStore, keyring: Keyring, clock: Clock) -> Sessions:
    return Sessions(store, keyring, clock)


def elsewhere(sessions: Sessions) -> Sessions:
    """The same sessions as another service sees them."""
    return Sessions(sessions.store, sessions.keyring, sessions.now)


async def test_a_session_signs_in_with_its_key_everywhere(sessions: Sessions, key: Key) -> None:
    cookie = await sessions.start(key)
    assert await sessions.key_of(cookie) == key
    assert await elsewhere(sessions).key_of(cookie) == key


async def test_the_store_holds_no_secret(sessions: Sessions, key: Key, store: MemorySessionStore) -> None:
    cookie = await sessions.start(key)
    kept = repr(store.records)
    assert cookie.partition(".")[2] not in kept


@pytest.mark.parametrize("cookie", ["", "x", "key_1.", "key_1.wrong", ".x", "*.x", ">.x", "a.b.c", "ключ.x"])
async def test_an_unknown_cookie_is_refused(sessions: Sessions, key: Key, cookie: str) -> None:
    await sessions.start(key)
    with pytest.raises(NotAuthenticated):
        await sessions.key_of(cookie)


async def test_sign_out_ends_one_session_at_once_here_and_soon_elsewhere(
    sessions: Sessions, key: Key, clock: Clock
) -> None:
    laptop, phone = await sessions.start(key), await sessions.start(key)
    other = elsewhere(sessions)
    await other.key_of(laptop)
    await sessions.end(laptop)
    with pytest.raises(NotAuthenticated):
        await sessions.key_of(laptop)
    clock.now += LOOK_AGAIN_S
    with pytest.raises(NotAuthenticated):
        await other.key_of(laptop)
    assert await other.key_of(phone) == key


async def test_sign_out_everywhere_ends_the_sessions_of_that_key_alone(
    sessions: Sessions, key: Key, keyring: Keyring
) -> None:
    other_key = keyring.authenticate("Bearer " + keyring.create("Jonas", ("train",)))
    mine, others = await sessions.start(key), await sessions.start(other_key)
    await sessions.end_all(key.id)
    with pytest.raises(NotAuthenticated):
        await sessions.key_of(mine)
    assert await sessions.key_of(others) == other_key


async def test_a_session_expires(sessions: Sessions, key: Key, clock: Clock) -> None:
    cookie = await sessions.start(key)
    clock.now += SESSION_S
    with pytest.raises(NotAuthenticated):
        await sessions.key_of(cookie)


async def test_a_session_ends_when_its_key_is_disabled(sessions: Sessions, key: Key, keyring: Keyring) -> None:
    cookie = await sessions.start(key)
    await sessions.key_of(cookie)
    keyring.learn([key.model_copy(update={"disabled": True})])
    with pytest.raises(NotAuthenticated, match="disabled"):
        await sessions.key_of(cookie)


async def test_known_sessions_go_on_while_nats_is_away_and_unknown_ones_are_told_to_come_back(
    sessions: Sessions, key: Key, store: MemorySessionStore, clock: Clock
) -> None:
    cookie = await sessions.start(key)
    await sessions.key_of(cookie)
    store.away = True
    clock.now += 60
    assert await sessions.key_of(cookie) == key
    with pytest.raises(SessionsUnreachable):
        await elsewhere(sessions).key_of(cookie)


@pytest.mark.parametrize(
    ("method", "headers", "accepted"),
    [
        ("POST", {"origin": "http://127.0.0.1:8080", "host": "127.0.0.1:8080"}, True),
        ("POST", {"origin": "https://assay.example", "host": "assay.example"}, True),
        ("POST", {"origin": "http://127.0.0.1:9999", "host": "127.0.0.1:8080"}, False),
        ("POST", {"origin": "null", "host": "127.0.0.1:8080"}, False),
        ("DELETE", {"origin": "https://evil.example", "host": "assay.example"}, False),
        ("POST", {"origin": "http://[::1", "host": "assay.example"}, False),
        ("POST", {"host": "assay.example"}, False),
        ("POST", {"host": "assay.example", "sec-fetch-site": "same-origin"}, True),
        ("POST", {"host": "assay.example", "sec-fetch-site": "same-site"}, False),
        ("GET", {"origin": "https://evil.example", "host": "assay.example"}, True),
    ],
)
def test_only_this_origin_may_change_things(method: str, headers: dict[str, str], accepted: bool) -> None:
    if accepted:
        check_origin(method, headers)
    else:
        with pytest.raises(NotAllowed):
            check_origin(method, headers)


@pytest.mark.parametrize("err_code", [10071, 10164])
async def test_a_link_that_somebody_else_takes_at_the_same_moment_is_taken(err_code: int) -> None:
    """A cluster refuses the second write with another code than a single server."""

    class Contended:
        async def get_msg(self, _stream: str, subject: str) -> RawStreamMsg:
            return RawStreamMsg(subject=subject, seq=7, data=b"{}")

        async def publish(self, *_: object, **__: object) -> None:
            raise BadRequestError(code=400, err_code=err_code, description="wrong last sequence")

    bus: Any = SimpleNamespace(jetstream=Contended())
    assert await NatsSessionStore(bus).take("link.1") is None
