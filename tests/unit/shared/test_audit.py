"""The audit events of a service."""

from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar, get, post
from litestar.testing import TestClient

from shared import web
from shared.security import Keyring
from shared.settings import CommonSettings, ServiceSettings
from shared.store import MemoryStore


class Full(MemoryStore):
    """A database that does not take events."""

    async def emit(self, events: Any) -> None:
        raise ConnectionError("no space")


@post("/suites/{name:str}", guards=[web.allow("train")], sync_to_thread=False)
def put(name: str) -> str:
    return name


@get("/suites", guards=[web.allow("train")], sync_to_thread=False)
def listed() -> str:
    return "all"


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "keys.json")


def client_of(keyring: Keyring, store: MemoryStore) -> TestClient[Litestar]:
    settings = ServiceSettings(common=CommonSettings(keys_file=keyring.path))
    app = web.build("evaluator", settings, [put, listed], checks={}, dependencies={}, audited=store)
    return TestClient(app)


async def recorded(store: MemoryStore) -> list[dict[str, Any]]:
    return [event.data for _, _, events in await store.unsent_events() for event in events]


async def test_a_request_that_could_change_something_is_recorded(keyring: Keyring) -> None:
    store, secret = MemoryStore("evaluator"), keyring.create("ann", ("train",))
    [key] = keyring.keys()
    answer = client_of(keyring, store).post("/suites/mine", headers={"authorization": f"Bearer {secret}"})
    [entry] = await recorded(store)
    assert (entry["service"], entry["key_id"], entry["key_name"]) == ("evaluator", key.id, "ann")
    assert (entry["action"], entry["object_id"]) == ("POST /suites/{name}", "mine")
    assert (entry["path"], entry["status"]) == ("/suites/mine", 201)
    assert entry["request_id"] == answer.headers["x-request-id"]


async def test_a_refused_request_is_recorded_with_its_status(keyring: Keyring) -> None:
    store, secret = MemoryStore("evaluator"), keyring.create("bob", ("review",))
    client_of(keyring, store).post("/suites/mine", headers={"authorization": f"Bearer {secret}"})
    [entry] = await recorded(store)
    assert (entry["key_name"], entry["status"]) == ("bob", 403)


async def test_reads_and_unauthenticated_requests_are_not_recorded(keyring: Keyring) -> None:
    store, secret = MemoryStore("evaluator"), keyring.create("ann", ("train",))
    client = client_of(keyring, store)
    client.get("/suites", headers={"authorization": f"Bearer {secret}"})
    client.post("/suites/mine")
    assert await recorded(store) == []


async def test_a_very_long_path_is_cut(keyring: Keyring) -> None:
    store, secret = MemoryStore("evaluator"), keyring.create("ann", ("train",))
    client_of(keyring, store).post(f"/suites/{'x' * 5000}", headers={"authorization": f"Bearer {secret}"})
    [entry] = await recorded(store)
    assert len(entry["path"].encode()) == 1024
    assert entry["path"].endswith("… [cut]")


async def test_a_request_is_answered_although_its_entry_cannot_be_saved(keyring: Keyring) -> None:
    secret = keyring.create("ann", ("train",))
    answer = client_of(keyring, Full("evaluator")).post("/suites/a", headers={"authorization": f"Bearer {secret}"})
    assert answer.status_code == 201
