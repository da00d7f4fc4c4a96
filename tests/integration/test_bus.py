"""The delivery policy on a real NATS server and a real database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import nats
import pytest

from shared import topology
from shared.bus import Bus, PermanentError, RetryPolicy
from shared.cloudevents import Envelope
from shared.events import ModelRolledBack, TrainingCancelRequested, TrainingQueued
from shared.outbox import Outbox
from shared.settings import CommonSettings
from shared.store import Entity, Store
from tests.conftest import NatsServer
from tests.ports import free_port

Handle = Callable[[TrainingQueued], Awaitable[None]]


class Job(Entity):
    state: str = "new"


@pytest.fixture
async def store(bus_settings: CommonSettings) -> AsyncIterator[Store]:
    store = Store(bus_settings.mongo_url, f"{bus_settings.database_prefix}trainer", "trainer")
    yield store
    store.close()


@pytest.fixture
async def start(bus_settings: CommonSettings, store: Store) -> AsyncIterator[Callable[[Handle], Awaitable[Bus]]]:
    buses: list[Bus] = []

    async def start_bus(handle: Handle) -> Bus:
        bus = Bus(bus_settings.nats_url, "trainer", store, RetryPolicy(delays_s=(0.2, 0.4)))
        bus.subscribe(TrainingQueued, handle)
        await bus.start()
        buses.append(bus)
        return bus

    yield start_bus
    for bus in buses:
        await bus.stop()


async def eventually(condition: Callable[[], bool], timeout_s: float = 15) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.05)


async def test_an_event_is_handled_once_however_often_it_is_sent(start, store) -> None:
    heard: list[str] = []

    async def handle(event: TrainingQueued) -> None:
        heard.append(event.job_id)

    bus = await start(handle)
    envelope = Envelope.of(TrainingQueued(job_id="a"), "test")
    await bus.publish(envelope)
    await eventually(lambda: heard == ["a"])
    await bus.publish(envelope)
    # Without its message id JetStream cannot tell that this is the same event: the inbox must.
    await bus.broker.publish(envelope.model_dump_json().encode(), "training.queued", stream=topology.EVENTS_STREAM)
    await bus.publish(Envelope.of(TrainingQueued(job_id="b"), "test"))
    await eventually(lambda: "b" in heard)
    assert heard == ["a", "b"]


async def test_a_failed_handler_is_tried_again_after_growing_delays(start) -> None:
    times: list[float] = []

    async def handle(event: TrainingQueued) -> None:
        times.append(asyncio.get_running_loop().time())
        if len(times) < 3:
            raise ConnectionError("not yet")

    bus = await start(handle)
    await bus.publish(Envelope.of(TrainingQueued(job_id="a"), "test"))
    await eventually(lambda: len(times) == 3)
    assert times[1] - times[0] >= 0.2
    assert times[2] - times[1] >= 0.4


async def test_a_permanent_error_goes_to_the_dead_letters_with_its_reason(start, bus_settings) -> None:
    async def handle(event: TrainingQueued) -> None:
        raise PermanentError("no such thing will ever work")

    bus = await start(handle)
    await bus.publish(Envelope.of(TrainingQueued(job_id="a"), "test"))
    client = await nats.connect(bus_settings.nats_url)
    letters = await client.jetstream().subscribe("dead.>", stream=topology.DEAD_STREAM)
    letter = await letters.next_msg(timeout=10)
    assert letter.subject == "dead.trainer-training_queued"
    assert "no such thing will ever work" in letter.headers["assay-error"]
    assert Envelope.model_validate_json(letter.data).data == TrainingQueued(job_id="a").model_dump()
    await client.close()


async def test_what_is_no_event_at_all_is_a_dead_letter_too(start, bus_settings) -> None:
    async def handle(event: TrainingQueued) -> None:
        raise AssertionError("must not be called")

    await start(handle)
    client = await nats.connect(bus_settings.nats_url)
    await client.jetstream().publish("training.queued", b"{nonsense")
    letters = await client.jetstream().subscribe("dead.>", stream=topology.DEAD_STREAM)
    assert (await letters.next_msg(timeout=10)).data == b"{nonsense"
    await client.close()


async def test_work_in_hand_goes_to_another_replica_when_a_process_stops(start) -> None:
    first, second = asyncio.Event(), asyncio.Event()

    async def never_ends(event: TrainingQueued) -> None:
        first.set()
        await asyncio.sleep(1000)

    async def ends(event: TrainingQueued) -> None:
        second.set()

    bus = await start(never_ends)
    await bus.publish(Envelope.of(TrainingQueued(job_id="a"), "test"))
    await asyncio.wait_for(first.wait(), 10)
    await bus.stop()
    await start(ends)
    await asyncio.wait_for(second.wait(), 10)


async def test_what_was_saved_is_published_even_when_nats_was_away(
    common: CommonSettings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = NatsServer(free_port(), tmp_path_factory.mktemp("nats"))
    server.start()
    client = await nats.connect(server.url)
    await topology.declare(client.jetstream(), common)
    await client.close()
    store = Store(common.mongo_url, f"{common.database_prefix}trainer", "trainer")
    jobs = store.collection("jobs", Job)
    heard: list[str] = []

    async def handle(event: TrainingQueued) -> None:
        heard.append(event.job_id)

    bus = Bus(server.url, "trainer", store)
    bus.subscribe(TrainingQueued, handle)
    await bus.start()
    relay = asyncio.create_task(Outbox(store, bus.publish, sweep_s=0.2).run())
    server.kill()
    assert await jobs.create(Job(id="a"), [TrainingQueued(job_id="a")])
    assert not await jobs.create(Job(id="a"), [TrainingQueued(job_id="a")])
    await asyncio.sleep(0.5)
    assert heard == []
    server.start()
    await eventually(lambda: heard == ["a"], 40)
    relay.cancel()
    await bus.stop()
    server.kill()


async def test_racing_changes_are_all_kept_with_their_events(common: CommonSettings) -> None:
    store = Store(common.mongo_url, f"{common.database_prefix}x", "trainer")
    jobs = store.collection("jobs", Job)
    await jobs.create(Job(id="a", state=""))

    def decide(job: Job) -> tuple[Job, list[TrainingCancelRequested]]:
        return job.model_copy(update={"state": job.state + "x"}), [TrainingCancelRequested(job_id=f"{len(job.state)}")]

    await asyncio.gather(*(jobs.change("a", decide) for _ in range(20)))
    job = await jobs.get("a")
    assert job is not None
    assert job.state == "x" * 20
    [(_, _, waiting)] = await store.unsent_events()
    assert [envelope.data["job_id"] for envelope in waiting] == [str(n) for n in range(20)]
    store.close()


def test_a_fact_has_one_id_and_a_repeatable_one_has_many() -> None:
    queued = TrainingQueued(job_id="a")
    assert Envelope.of(queued, "x").id == Envelope.of(queued, "x").id
    rolled = ModelRolledBack(alias="a", version="v-1", previous_version="v-2", reason="worse")
    assert Envelope.of(rolled, "x").id != Envelope.of(rolled, "x").id
