"""A NATS server is killed while events are under way: no event is lost, and nothing is done or told twice.

Of a cluster (`make test-cluster`) it is the leader of a stream; a single server is started again a second later.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import pytest
from litestar.testing import AsyncTestClient

import services.ingest.app
import services.ingest.config
import services.review.app
import services.review.config
from shared import topology
from shared.artifacts import Artifacts
from shared.bus import Bus, RetryPolicy
from shared.cloudevents import Envelope, EventData
from shared.events import DatasetUploaded, ModelApproved, ReviewScored, TrainingQueued
from shared.jetstream_readiness import when_ready
from shared.keys import SharedKeys
from shared.outbox import Outbox
from shared.security import Keyring, NotAuthenticated, new_key
from shared.settings import CommonSettings
from shared.store import Entity, MemoryStore, Store
from tests.conftest import NatsServer
from tests.followed_events import following
from tests.gateway import eventually, rows, running
from tests.jetstream import jetstream, stored_facts
from tests.nats_cluster import NatsCluster
from tests.review import published
from tests.unit.review.evidence import evaluation, finish

Lose = Callable[[str], Awaitable[None]]
Say = Callable[..., Awaitable[None]]
DOWN_S, RECOVERED_S = 1.0, 45.0


class Said(Entity):
    pass


@pytest.fixture
async def lose(bus_settings: CommonSettings, nats_server: NatsServer | NatsCluster) -> Lose:
    """Kills the server that leads a stream."""
    if isinstance(nats_server, NatsCluster):
        await nats_server.whole()
        return nats_server.lose_leader

    async def restart(_stream: str) -> None:
        nats_server.kill()
        await asyncio.sleep(DOWN_S)
        nats_server.start()

    return restart


@pytest.fixture
async def say(bus_settings: CommonSettings) -> AsyncIterator[Say]:
    """Publishes as services do: events are saved first, and published as soon as NATS takes them."""
    store = Store(bus_settings.mongo_url, f"{bus_settings.database_prefix}test", "test")
    bus = Bus(bus_settings.nats_url, "test", store)
    await bus.start()
    relay = asyncio.create_task(Outbox(store, bus, sweep_s=0.2).run())
    said = store.collection("said", Said)

    async def save(*facts: EventData) -> None:
        await said.create(Said(id=uuid4().hex), facts)

    yield save
    relay.cancel()
    await bus.stop()
    store.close()


async def facts_of(settings: CommonSettings, event: str) -> list[Envelope]:
    async with jetstream(settings) as js:
        messages = await when_ready(lambda: stored_facts(js), pause_s=0.2)
    return [Envelope.model_validate_json(each.data or b"") for each in messages if each.subject == event]


async def dead_letters(settings: CommonSettings) -> int:
    async with jetstream(settings) as js:
        return (await when_ready(lambda: js.stream_info(topology.DEAD_STREAM))).state.messages


async def test_every_event_is_handled_once_and_those_of_a_job_in_order(bus_settings, say: Say, lose: Lose) -> None:
    bus = Bus(bus_settings.nats_url, "trainer", MemoryStore("trainer"), RetryPolicy(delays_s=(0.2,)))
    handled: dict[str, list[int]] = defaultdict(list)

    async def handle(event: TrainingQueued) -> None:
        await asyncio.sleep(0.01)
        handled[event.job_id].append(event.turn)

    bus.subscribe(TrainingQueued, handle)
    await bus.start()
    jobs = [f"job-{n}" for n in range(40)]
    saving = [asyncio.create_task(say(*(TrainingQueued(job_id=job, turn=turn) for turn in range(5)))) for job in jobs]
    await eventually(lambda: len(handled) > 5)
    await lose(topology.EVENTS_STREAM)
    await asyncio.gather(*saving)
    await eventually(lambda: sum(map(len, handled.values())) >= 200, RECOVERED_S)
    await asyncio.sleep(1)
    await bus.stop()
    assert handled == {job: [0, 1, 2, 3, 4] for job in jobs}
    assert await dead_letters(bus_settings) == 0


async def test_every_uploaded_file_becomes_one_dataset(bus_settings, keyring: Keyring, say: Say, lose: Lose) -> None:
    app = services.ingest.app.build(services.ingest.config.Settings(common=bus_settings))
    artifacts, files = Artifacts(bus_settings.artifacts), [f"file-{n}" for n in range(6)]
    async with AsyncTestClient(app) as client:
        client.headers["authorization"] = f"Bearer {keyring.create('test', ('admin',))}"
        for number, file in enumerate(files):
            if number == 3:
                await lose(topology.EVENTS_STREAM)
            artifact = artifacts.put_bytes(rows(12 + number))
            await say(DatasetUploaded(file_id=file, filename="a.jsonl", artifact=artifact))

        async def all_ready() -> bool:
            answers = [await client.get(f"/v1/datasets/{file}") for file in files]
            return all(answer.status_code == 200 and answer.json().get("ready") for answer in answers)

        await eventually(all_ready, RECOVERED_S)

        async def told() -> bool:
            return len(await facts_of(bus_settings, "dataset.ready")) >= len(files)

        await eventually(told, RECOVERED_S)
    assert Counter(fact.subject for fact in await facts_of(bus_settings, "dataset.ready")) == Counter(files)


async def test_a_run_gets_one_verdict(bus_settings, say: Say, lose: Lose) -> None:
    async with AsyncTestClient(services.review.app.build(services.review.config.Settings(common=bus_settings))):
        await say(finish(10, 20), evaluation(20, 0.85))
        await lose(topology.EVENTS_STREAM)
        await say(evaluation(10, 0.95))

        async def approved() -> bool:
            found = await when_ready(lambda: published(bus_settings), pause_s=0.2)
            return any(isinstance(fact, ModelApproved) for fact in found)

        await eventually(approved, RECOVERED_S)
        await asyncio.sleep(1)
    assert Counter(map(type, await published(bus_settings))) == Counter((ReviewScored, ModelApproved))


async def test_live_events_are_told_once_and_in_order(bus_settings, lose: Lose) -> None:
    async with running(bus_settings, ["http://127.0.0.1:9"]) as gateway, gateway.http("train") as http:
        async with following(http, params={"type": "dataset.uploaded"}) as told:
            for number in range(8):
                if number == 4:
                    await eventually(lambda: len(told) == 4)
                    await lose(topology.EVENTS_STREAM)
                form = {"files": {"file": (f"{number}.jsonl", rows(12))}, "data": {"purpose": "fine-tune"}}
                assert (await http.post("/v1/files", **form)).status_code == 200
            await eventually(lambda: len(told) >= 8, RECOVERED_S)
        assert sorted(event["data"]["filename"] for event in told) == [f"{number}.jsonl" for number in range(8)]
        places = [int(event["place"].partition("-")[0]) for event in told]
        assert places == sorted(set(places))


async def test_a_deleted_key_is_refused_everywhere_and_the_others_stay(bus_settings, tmp_path, lose: Lose) -> None:
    bus = Bus(bus_settings.nats_url, "gateway", MemoryStore("gateway"))
    await bus.start()
    here, there = (SharedKeys(bus, Keyring(tmp_path / f"{name}.json"), every_s=0.1) for name in ("here", "there"))
    (kept, secret), (deleted, old) = new_key("kept", ("infer",)), new_key("deleted", ("infer",))
    await here.create(kept)
    await here.create(deleted)
    following_keys = asyncio.create_task(there.follow())
    await eventually(lambda: there.keyring.get(deleted.id))
    await lose(topology.KEYS_STREAM)
    change = lambda: here.change(deleted.id, lambda key: key.model_copy(update={"deleted": True}))  # noqa: E731
    await when_ready(change, pause_s=0.2)

    def is_refused() -> bool:
        known = there.keyring.get(deleted.id)
        return bool(known and known.deleted)

    await eventually(is_refused, RECOVERED_S)
    with pytest.raises(NotAuthenticated):
        there.keyring.authenticate(f"Bearer {old}")
    assert there.keyring.authenticate(f"Bearer {secret}").id == kept.id
    following_keys.cancel()
    await bus.stop()
