"""Shared API keys in NATS's key-value bucket."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import nats
import pytest
from nats.js.errors import KeyWrongLastSequenceError

from shared import topology
from shared.bus import Bus
from shared.keys import SharedKeys
from shared.security import Key, Keyring, new_key
from shared.settings import CommonSettings
from shared.store import MemoryStore
from tests.conftest import NatsServer
from tests.ports import free_port


@pytest.fixture
async def bus(bus_settings: CommonSettings) -> AsyncIterator[Bus]:
    bus = Bus(bus_settings.nats_url, "gateway", MemoryStore("gateway"))
    await bus.start()
    yield bus
    await bus.stop()


def keys_of(bus: Bus, tmp_path: Path, name: str) -> SharedKeys:
    return SharedKeys(bus, Keyring(tmp_path / f"{name}.json"), every_s=0.1)


async def test_a_key_is_created_only_if_its_id_is_new(bus: Bus, tmp_path: Path) -> None:
    keys = keys_of(bus, tmp_path, "one")
    key, _ = new_key("first", ("infer",))
    await keys.create(key)
    with pytest.raises(KeyWrongLastSequenceError):
        await keys.create(key.model_copy(update={"name": "second"}))
    found = await keys.get(key.id)
    assert found is not None
    assert found.name == "first"


async def test_concurrent_changes_of_two_processes_are_all_kept(bus: Bus, tmp_path: Path) -> None:
    one, two = keys_of(bus, tmp_path, "one"), keys_of(bus, tmp_path, "two")
    key, _ = new_key("app", ("infer",))
    await one.create(key)

    def add(known: Key) -> Key:
        return known.model_copy(update={"token_budget": (known.token_budget or 0) + 1})

    await asyncio.gather(*(keys.change(key.id, add) for keys in (one, two) for _ in range(10)))
    found = await one.get(key.id)
    assert found is not None
    assert found.token_budget == 20


async def test_a_key_of_the_file_is_changed_by_its_first_revision_in_the_bucket(bus: Bus, tmp_path: Path) -> None:
    one, two = keys_of(bus, tmp_path, "one"), keys_of(bus, tmp_path, "two")
    secret = one.keyring.create("app", ("infer",))
    [key] = one.keyring.keys()
    await one.change(key.id, lambda known: known.model_copy(update={"scopes": ("train",)}))
    await two.catch_up()
    assert two.keyring.authenticate(f"Bearer {secret}").scopes == ("train",)


@pytest.mark.parametrize("key_id", ["key_unknown", "key_*", "key_0.>", "", "key 1"])
async def test_an_unknown_or_malformed_id_is_none(bus: Bus, tmp_path: Path, key_id: str) -> None:
    keys = keys_of(bus, tmp_path, "one")
    assert await keys.get(key_id) is None
    assert await keys.change(key_id, lambda known: known) is None


async def test_catching_up_reads_more_keys_than_a_watch_buffers(bus: Bus, tmp_path: Path) -> None:
    one, two = keys_of(bus, tmp_path, "one"), keys_of(bus, tmp_path, "two")
    await two.catch_up()
    for _ in range(300):
        await one.create(new_key("app", ("infer",))[0])
    await two.catch_up()
    assert len(two.keyring.keys()) == 300


async def test_keys_are_followed_across_an_outage_of_nats(
    common: CommonSettings, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = NatsServer(free_port(), tmp_path_factory.mktemp("nats"))
    server.start()
    client = await nats.connect(server.url)
    await topology.declare(client.jetstream(), common)
    await client.close()
    bus = Bus(server.url, "gateway", MemoryStore("gateway"))
    await bus.start()
    one, two = keys_of(bus, tmp_path, "one"), keys_of(bus, tmp_path, "two")
    key, _ = new_key("app", ("infer",))
    await one.create(key)
    following = asyncio.create_task(two.follow())
    async with asyncio.timeout(30):
        while two.keyring.get(key.id) is None:
            await asyncio.sleep(0.05)
        server.kill()
        await asyncio.sleep(1)
        assert two.keyring.get(key.id) == key
        server.start()
        while True:
            try:
                await one.change(key.id, lambda known: known.model_copy(update={"disabled": True}))
                break
            except Exception:
                await asyncio.sleep(0.2)
        while not (found := two.keyring.get(key.id)) or not found.disabled:
            await asyncio.sleep(0.05)
    following.cancel()
    await bus.stop()
    server.kill()
