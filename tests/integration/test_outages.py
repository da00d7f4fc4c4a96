"""Outages of what the services depend on: they cost time, never events."""

import asyncio
from collections.abc import Iterator

import pytest

from shared import consumers, topology
from shared.bus import Bus, RetryPolicy
from shared.cloudevents import Envelope
from shared.consumers import consumer_of
from shared.events import TrainingCancelRequested
from shared.outages import Outages
from shared.settings import CommonSettings
from shared.store import MemoryStore, Store
from tests.conftest import NatsServer
from tests.mongo_server import MongoServer
from tests.ports import free_port

# Each delivery waits 5 s for the database, so this outage is longer than all deliveries that the test allows.
DELIVERIES, OUTAGE_S = 2, 13.0


@pytest.fixture
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    server = MongoServer(free_port(), tmp_path_factory.mktemp("outage"))
    server.start()
    yield server
    server.kill()


async def test_an_outage_of_the_database_uses_up_no_deliveries(
    bus_settings: CommonSettings, mongo: MongoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "MAX_DELIVER", DELIVERIES)
    store = Store(mongo.url, "outage", "trainer")
    await store.prepare()
    handled: list[str] = []

    async def handle(event: TrainingCancelRequested) -> None:
        handled.append(event.job_id)

    bus = Bus(bus_settings.nats_url, "trainer", store, RetryPolicy(delays_s=(0.1,)))
    bus.subscribe(TrainingCancelRequested, handle)
    await bus.start()
    mongo.kill()
    for job_id in "abc":
        await bus.publish(Envelope.of(TrainingCancelRequested(job_id=job_id), "test"))
    await asyncio.sleep(OUTAGE_S)
    assert handled == []
    mongo.start()
    async with asyncio.timeout(60):
        while len(handled) < 3:
            await asyncio.sleep(0.1)
    consumer = consumer_of("trainer", TrainingCancelRequested)
    info = await bus.jetstream.consumer_info(topology.EVENTS_STREAM, consumer.name)
    dead = (await bus.jetstream.stream_info(topology.DEAD_STREAM)).state.messages
    await bus.stop()
    store.close()
    assert handled == ["a", "b", "c"]
    assert (info.num_redelivered, dead) == (0, 0)


async def test_an_error_beside_healthy_dependencies_is_not_an_outage() -> None:
    async def answers() -> None:
        return

    async def refuses() -> None:
        raise ConnectionError("refused")

    assert await Outages({"mongo": answers}).away() == {}
    assert await Outages({"mongo": answers, "nats": refuses}).away() == {"nats": "ConnectionError: refused"}


async def test_a_service_stops_while_nats_is_away(
    common: CommonSettings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = NatsServer(free_port(), tmp_path_factory.mktemp("nats"))
    server.start()
    bus = Bus(server.url, "trainer", MemoryStore("trainer"))
    await bus.start()
    server.kill()
    await asyncio.sleep(1)
    async with asyncio.timeout(15):
        await bus.stop()
