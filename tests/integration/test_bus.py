"""Delivery of events over a real NATS server and a real database."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import nats
import pytest
from nats.js import JetStreamContext
from prometheus_client import REGISTRY

from shared import topology
from shared.bus import Bus, PermanentError, RetryPolicy
from shared.cloudevents import Envelope
from shared.consumers import Consumer
from shared.events import (
    DatasetRejected,
    ModelRolledBack,
    RowError,
    TrainingCancelRequested,
    TrainingProgress,
    TrainingQueued,
)
from shared.outbox import Outbox
from shared.settings import CommonSettings
from shared.store import Entity, Store
from tests.conftest import NatsServer
from tests.jetstream import jetstream
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


async def test_an_event_that_is_sent_several_times_is_handled_once(start, store) -> None:
    handled: list[str] = []

    async def handle(event: TrainingQueued) -> None:
        handled.append(event.job_id)

    bus = await start(handle)
    envelope = Envelope.of(TrainingQueued(job_id="a"), "test")
    await bus.publish(envelope)
    await eventually(lambda: handled == ["a"])
    await bus.publish(envelope)
    # Without its message id JetStream cannot tell that this is the same event: the inbox must.
    await bus.broker.publish(envelope.model_dump_json().encode(), "training.queued", stream=topology.EVENTS_STREAM)
    await bus.publish(Envelope.of(TrainingQueued(job_id="b"), "test"))
    await eventually(lambda: "b" in handled)
    assert handled == ["a", "b"]


async def test_a_failed_handler_is_retried_after_growing_delays(start) -> None:
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
    async with jetstream(bus_settings) as js:
        letters = await js.subscribe("dead.>", stream=topology.DEAD_STREAM)
        letter = await letters.next_msg(timeout=10)
    assert letter.subject == "dead.trainer-training_queued"
    assert "no such thing will ever work" in letter.headers["assay-error"]
    assert Envelope.model_validate_json(letter.data).data == TrainingQueued(job_id="a").model_dump()


async def test_a_message_that_is_not_an_event_becomes_a_dead_letter(start, bus_settings) -> None:
    async def handle(event: TrainingQueued) -> None:
        raise AssertionError("must not be called")

    await start(handle)
    async with jetstream(bus_settings) as js:
        await js.publish("training.queued", b"{nonsense")
        letters = await js.subscribe("dead.>", stream=topology.DEAD_STREAM)
        assert (await letters.next_msg(timeout=10)).data == b"{nonsense"


async def test_an_unfinished_event_goes_to_another_replica_when_a_process_stops(start) -> None:
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


async def test_saved_events_are_published_after_an_outage_of_nats(
    common: CommonSettings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = NatsServer(free_port(), tmp_path_factory.mktemp("nats"))
    server.start()
    client = await nats.connect(server.url)
    await topology.declare(client.jetstream(), common)
    await client.close()
    store = Store(common.mongo_url, f"{common.database_prefix}trainer", "trainer")
    jobs = store.collection("jobs", Job)
    handled: list[str] = []

    async def handle(event: TrainingQueued) -> None:
        handled.append(event.job_id)

    bus = Bus(server.url, "trainer", store)
    bus.subscribe(TrainingQueued, handle)
    await bus.start()
    relay = asyncio.create_task(Outbox(store, bus, sweep_s=0.2).run())
    server.kill()
    assert await jobs.create(Job(id="a"), [TrainingQueued(job_id="a")])
    assert not await jobs.create(Job(id="a"), [TrainingQueued(job_id="a")])
    await asyncio.sleep(0.5)
    assert handled == []
    server.start()
    await eventually(lambda: handled == ["a"], 40)
    relay.cancel()
    await bus.stop()
    server.kill()


async def test_a_very_long_field_name_does_not_stop_the_outbox(start, store, bus_settings) -> None:
    handled: list[str] = []

    async def handle(event: TrainingQueued) -> None:
        handled.append(event.job_id)

    bus = await start(handle)
    jobs = store.collection("jobs", Job)
    name = "k" * 600_000
    error = RowError(line=1, field=name, reason=f"unknown field {name}")
    await jobs.create(Job(id="file"), [DatasetRejected(file_id="file", rows=2, bad_rows=1, errors=(error,))])
    await jobs.create(Job(id="a"), [TrainingQueued(job_id="a")])
    await Outbox(store, bus).relay()
    await eventually(lambda: handled == ["a"])
    message = await bus.jetstream.get_last_msg(topology.EVENTS_STREAM, "dataset.rejected")
    [published] = Envelope.model_validate_json(message.data).data["errors"]
    assert published["field"].endswith("… [cut]")
    assert len(published["field"].encode()) == 256
    assert await store.unsent_events() == []


async def test_an_event_that_nats_refuses_is_parked_and_the_others_are_published(start, store, bus_settings) -> None:
    handled: list[str] = []

    async def handle(event: TrainingQueued) -> None:
        handled.append(event.job_id)

    bus = await start(handle)
    jobs = store.collection("jobs", Job)
    await jobs.create(Job(id="large"), [TrainingQueued(job_id="large"), TrainingQueued(job_id="next")])
    # As saved by a version that had no bounds.
    document = await store.database["jobs"].find_one({"_id": "large"})
    document["outbox"][0]["data"]["job_id"] = "x" * 2_000_000
    await store.database["jobs"].replace_one({"_id": "large"}, document)
    await jobs.create(Job(id="a"), [TrainingQueued(job_id="a")])
    await Outbox(store, bus).relay()
    await eventually(lambda: sorted(handled) == ["a", "next"])
    assert await store.unsent_events() == []
    parked = await store.database["parked"].find_one({})
    assert len(parked["event"]["data"]["job_id"]) == 2_000_000
    letters = await bus.jetstream.subscribe("dead.trainer-outbox", stream=topology.DEAD_STREAM)
    letter = await letters.next_msg(timeout=10)
    assert "MaxPayloadError" in letter.headers["assay-error"]
    assert json.loads(letter.data)["subject"] == "large"
    assert len(letter.data) < 3000
    assert (
        REGISTRY.get_sample_value("assay_outbox_parked_total", {"service": "trainer", "type": "training.queued"}) == 1
    )


async def test_an_aggregate_whose_event_is_refused_for_now_does_not_hold_up_the_others(start, store) -> None:
    handled: list[str] = []

    async def handle(event: TrainingQueued) -> None:
        handled.append(event.job_id)

    bus = await start(handle)
    jobs = store.collection("jobs", Job)
    await jobs.create(Job(id="early"), [TrainingQueued(job_id="early")])
    # An event of a newer version whose subject the stream does not have yet.
    document = await store.database["jobs"].find_one({"_id": "early"})
    document["outbox"][0]["type"] = "training.imagined"
    await store.database["jobs"].replace_one({"_id": "early"}, document)
    await jobs.create(Job(id="a"), [TrainingQueued(job_id="a")])
    await Outbox(store, bus).relay()
    await eventually(lambda: handled == ["a"])
    [(_, entity_id, _)] = await store.unsent_events()
    assert entity_id == "early"


async def test_a_validation_error_in_a_handler_is_retried(start) -> None:
    attempts: list[str] = []

    async def handle(event: TrainingQueued) -> None:
        attempts.append(event.job_id)
        if len(attempts) == 1:
            TrainingQueued.model_validate({"job_id": "a", "turn": -1})

    bus = await start(handle)
    await bus.publish(Envelope.of(TrainingQueued(job_id="a"), "test"))
    await eventually(lambda: len(attempts) == 2)


async def test_concurrent_changes_are_all_saved_with_their_events(common: CommonSettings) -> None:
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


def test_an_event_with_a_natural_key_always_has_the_same_id() -> None:
    queued = TrainingQueued(job_id="a")
    assert Envelope.of(queued, "x").id == Envelope.of(queued, "x").id
    rolled = ModelRolledBack(alias="a", version="v-1", previous_version="v-2", reason="worse")
    assert Envelope.of(rolled, "x").id != Envelope.of(rolled, "x").id


@pytest.fixture
async def js(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[JetStreamContext]:
    """The JetStream of a server that has no streams."""
    server = NatsServer(free_port(), tmp_path_factory.mktemp("nats"))
    server.start()
    client = await nats.connect(server.url)
    yield client.jetstream(timeout=30)
    await client.close()
    server.kill()


async def test_progress_is_forgotten_and_never_fills_the_stream_of_facts(common, js) -> None:
    await topology.declare(js, common.model_copy(update={"event_max_bytes": 1024**2}))
    body = b"x" * 64_000
    for _ in range(40):
        await js.publish("training.progress", body)
    await js.publish("training.queued", b"a fact")
    facts, progress = [await js.stream_info(name) for name in (topology.EVENTS_STREAM, topology.PROGRESS_STREAM)]
    assert facts.state.messages == 1
    assert progress.state.first_seq > 20
    assert progress.state.last_seq == 40


async def test_an_upgrade_moves_progress_out_of_the_stream_of_facts(common, js) -> None:
    # As an earlier version declared it.
    await js.add_stream(name=topology.EVENTS_STREAM, subjects=["training.progress", "training.queued"])
    progress = Consumer("gateway", TrainingProgress)
    await js.add_consumer(topology.EVENTS_STREAM, topology.consumer_config(progress))
    await js.publish("training.progress", b"a step")
    await js.publish("training.queued", b"a fact")
    await topology.declare(js, common)
    facts = await js.stream_info(topology.EVENTS_STREAM, subjects_filter=">")
    assert facts.state.subjects == {"training.queued": 1}
    assert (await js.consumer_info(topology.PROGRESS_STREAM, progress.name)).num_pending == 0
    await js.publish("training.progress", b"the next step")
    # Not by what the server counts: its figures may follow a moment later.
    [message] = await (await js.pull_subscribe_bind(progress.name, topology.PROGRESS_STREAM)).fetch(1, timeout=10)
    assert message.data == b"the next step"
