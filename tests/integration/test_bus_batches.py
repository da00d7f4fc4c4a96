"""Events that are fetched together, over a real NATS server and a real database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from shared.bus import Bus, RetryPolicy
from shared.cloudevents import Envelope
from shared.consumers import EVENTS_STREAM, consumer_of
from shared.events import TrainingQueued
from shared.settings import CommonSettings
from shared.store import Store
from tests.gateway import eventually

CONSUMER = consumer_of("gateway", TrainingQueued)
Start = Callable[..., Awaitable[Bus]]


@pytest.fixture
async def store(bus_settings: CommonSettings) -> AsyncIterator[Store]:
    store = Store(bus_settings.mongo_url, f"{bus_settings.database_prefix}gateway", "gateway")
    yield store
    store.close()


@pytest.fixture
async def publisher(bus_settings: CommonSettings, store: Store) -> AsyncIterator[Bus]:
    bus = Bus(bus_settings.nats_url, "test", store)
    await bus.start()
    yield bus
    await bus.stop()


@pytest.fixture
async def start(bus_settings: CommonSettings, store: Store) -> AsyncIterator[Start]:
    buses: list[Bus] = []

    async def start_bus(handle: Callable[[TrainingQueued], Awaitable[None]], *, side_by_side: bool = False) -> Bus:
        bus = Bus(bus_settings.nats_url, "gateway", store, RetryPolicy(delays_s=(0.2,)))
        bus.subscribe(TrainingQueued, handle, side_by_side=side_by_side)
        buses.append(bus)
        await bus.start()
        return bus

    yield start_bus
    for bus in buses:
        await bus.stop()


async def publish(bus: Bus, *jobs: str) -> None:
    for job in jobs:
        name, _, turn = job.partition("/")
        await bus.publish(Envelope.of(TrainingQueued(job_id=name, turn=int(turn or 0)), "test"))


async def unacknowledged(bus: Bus) -> int:
    info = await bus.jetstream.consumer_info(EVENTS_STREAM, CONSUMER.name)
    return info.num_ack_pending + info.num_pending


async def test_a_batch_is_handled_in_order_and_a_failing_event_alone_is_tried_again(publisher, start) -> None:
    jobs = [f"job-{n}" for n in range(250)]
    await publish(publisher, *jobs)
    handled: list[str] = []

    async def handle(event: TrainingQueued) -> None:
        handled.append(event.job_id)
        if event.job_id == "job-7" and handled.count("job-7") == 1:
            raise ConnectionError("not yet")

    bus = await start(handle)
    await eventually(lambda: len(handled) == 251)
    assert list(dict.fromkeys(handled)) == jobs
    assert handled.count("job-7") == 2

    async def all_acknowledged() -> bool:
        return await unacknowledged(bus) == 0

    await eventually(all_acknowledged)


async def test_side_by_side_events_of_one_aggregate_stay_in_order(publisher, start) -> None:
    await publish(publisher, "a", "b", "a/1", "c", "a/2")
    handled: list[str] = []
    running: set[str] = set()
    most: list[int] = []

    async def handle(event: TrainingQueued) -> None:
        assert event.job_id not in running
        running.add(event.job_id)
        most.append(len(running))
        await asyncio.sleep(0.1)
        running.discard(event.job_id)
        handled.append(f"{event.job_id}/{event.turn}")

    await start(handle, side_by_side=True)
    await eventually(lambda: len(handled) == 5)
    assert [each for each in handled if each.startswith("a/")] == ["a/0", "a/1", "a/2"]
    assert max(most) == 3


async def test_the_same_event_twice_in_a_batch_is_handled_once(publisher, start) -> None:
    body = Envelope.of(TrainingQueued(job_id="a"), "test").model_dump_json().encode()
    for _ in range(3):
        # Without message ids, so that JetStream cannot tell.
        await publisher.broker.publish(body, "training.queued", stream=EVENTS_STREAM)
    await publish(publisher, "b")
    handled: list[str] = []

    async def handle(event: TrainingQueued) -> None:
        handled.append(event.job_id)

    await start(handle)
    await eventually(lambda: "b" in handled)
    assert handled == ["a", "b"]


async def test_an_event_is_acknowledged_only_after_its_mark_is_stored(publisher, start, store, monkeypatch) -> None:
    await publish(publisher, "a", "b")
    may_mark, handled = asyncio.Event(), list[str]()
    mark_seen = store.mark_seen

    async def slowly(consumer: str, event_ids: list[str]) -> None:
        await may_mark.wait()
        await mark_seen(consumer, event_ids)

    async def handle(event: TrainingQueued) -> None:
        handled.append(event.job_id)

    monkeypatch.setattr(store, "mark_seen", slowly)
    bus = await start(handle)
    await eventually(lambda: handled == ["a", "b"])
    assert await unacknowledged(bus) == 2
    may_mark.set()

    async def all_acknowledged() -> bool:
        return await unacknowledged(bus) == 0

    await eventually(all_acknowledged)
