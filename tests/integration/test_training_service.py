"""The trainer with real NATS and MongoDB, training a tiny model in real processes."""

import asyncio
import json
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from litestar.testing import AsyncTestClient

import services.trainer.app
from services.trainer.app import build
from services.trainer.config import Settings
from services.trainer.domain.curve.advice import ADVICE
from services.trainer.domain.model_names import job_id_for_file
from shared import replay
from shared.artifacts import Artifacts
from shared.bus import Bus
from shared.cloudevents import Envelope, EventData
from shared.events import (
    DatasetReady,
    DatasetRejected,
    Hyperparameters,
    RowError,
    Split,
    Splits,
    TrainingCancelRequested,
    TrainingQueued,
    TrainingRequested,
    TrainingSpec,
)
from shared.security import Keyring
from shared.settings import CommonSettings
from shared.store import Store
from tests.integration.forkserver_workers import ForkedWorkers
from tests.jetstream import jetstream, stored_messages
from tests.running import descendants

ASKED = Hyperparameters(n_epochs=3, batch_size=4, learning_rate=0.01, n_checkpoints=3, lora_rank=4)
ENDED = ("succeeded", "failed", "cancelled")


class World:
    """A running trainer, a way to send it events, and the events it published."""

    def __init__(self, settings: CommonSettings, client: httpx.AsyncClient, bus: Bus) -> None:
        self.settings, self._client, self._bus = settings, client, bus

    async def send(self, *events: EventData) -> None:
        for event in events:
            # A new id each time, so that NATS does not drop it as a duplicate: the trainer itself must cope.
            envelope = Envelope.of(event, "test")
            await self._bus.publish(envelope.model_copy(update={"id": f"{envelope.id}-{os.urandom(4).hex()}"}))

    async def run(self, job_id: str) -> dict:
        answer = await self._client.get(f"/v1/runs/{job_id}")
        return answer.json() if answer.status_code == 200 else {"run": {"status": "unknown", "attempt": 0}, "curve": []}

    async def seen_by(self, secret: str, job_id: str) -> tuple[int, int, list[str]]:
        """What a key gets for a run and for its live curve, and the runs that it is shown."""
        headers = {"authorization": f"Bearer {secret}"}
        one, live, listed = [
            await self._client.get(path, headers=headers)
            for path in (f"/v1/runs/{job_id}", f"/v1/runs/{job_id}/live", "/v1/runs")
        ]
        return one.status_code, live.status_code, [run["id"] for run in listed.json()]

    async def live(self, job_id: str, last_step: int = 0) -> list[dict[str, str]]:
        """The run's server-sent events to its end."""
        headers = {"last-event-id": str(last_step)} if last_step else {}
        text = (await self._client.get(f"/v1/runs/{job_id}/live", headers=headers)).text
        blocks = (block for block in text.replace("\r\n", "\n").split("\n\n") if "event:" in block)
        return [dict(line.split(": ", 1) for line in block.splitlines() if ": " in line) for block in blocks]

    async def metrics(self) -> str:
        return (await self._client.get("/metrics")).text

    async def until(self, job_id: str, condition: Callable[[dict], bool], timeout_s: float = 200) -> dict:
        async with asyncio.timeout(timeout_s):
            while not condition(found := await self.run(job_id)):
                await asyncio.sleep(0.1)
        return found

    async def ended(self, job_id: str) -> dict:
        """The run once it has ended and its last event is published, which takes a moment."""
        found = await self.until(job_id, lambda found: found["run"]["status"] in ENDED)
        async with asyncio.timeout(30):
            while job_id not in [event["job_id"] for event in await self.published("training.finished")]:
                await asyncio.sleep(0.1)
        return found

    async def published(self, kind: str) -> list[dict]:
        """The data of every event of a type that the trainer published."""
        messages = await stored_messages(self._bus.jetstream)
        envelopes = [Envelope.model_validate_json(message.data) for message in messages]
        return [e.data for e in envelopes if e.type == kind and e.source == "urn:assay:trainer"]


@asynccontextmanager
async def trainer(common: CommonSettings, keyring: Keyring, models: dict[str, str]) -> AsyncIterator[World]:
    work = common.cache_dir / "work"
    # One thread at normal priority: other tests would slow down a model as small as this.
    how = {"precision": "fp32", "niceness": 0, "threads": 1, "keep_ready": False}
    app = build(Settings(common=common, base_models=models, work_dir=work, **how))
    store = Store(common.mongo_url, f"{common.database_prefix}test", "test")
    bus = Bus(common.nats_url, "test", store)
    async with AsyncTestClient(app) as client:
        client.headers["authorization"] = f"Bearer {keyring.create('test', ('admin',))}"
        await bus.start()
        yield World(common, client, bus)
        await bus.stop()
    store.close()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    from tests.unit.trainer import tiny_model

    return {"tiny": str(tiny_model.save(tmp_path_factory.mktemp("base")))}


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training processes are forked: a new one imports libraries for ten seconds. The first test starts new ones."""
    monkeypatch.setattr(services.trainer.app, "WorkerProcesses", ForkedWorkers)


@pytest.fixture
async def world(bus_settings: CommonSettings, keyring: Keyring, tiny: dict[str, str]) -> AsyncIterator[World]:
    async with trainer(bus_settings, keyring, tiny) as world:
        yield world


def dataset(common: CommonSettings, file_id: str, train: TrainingSpec | None = None, rows: int = 16) -> DatasetReady:
    from tests.unit.trainer import tiny_model

    artifacts = Artifacts(common.artifacts)
    parts = {
        name: Split(artifact=artifacts.put_bytes(tiny_model.rows(count)), rows=count)
        for name, count in (("train", rows), ("validation", 4), ("test", 5))
    }
    return DatasetReady(file_id=file_id, rows=rows + 9, splits=Splits(**parts), train=train)


def endless(common: CommonSettings) -> tuple[DatasetReady, TrainingRequested]:
    """A job that trains for minutes unless it is ended."""
    return dataset(common, "file-1", rows=200), requested("job-1", "file-1", n_epochs=100, batch_size=1)


def requested(
    job_id: str, file_id: str, base_model: str = "tiny", priority: int = 0, **asked: float
) -> TrainingRequested:
    hyperparameters = ASKED.model_copy(update=asked)
    spec = TrainingSpec(base_model=base_model, hyperparameters=hyperparameters, suffix="mine", priority=priority)
    return TrainingRequested(job_id=job_id, training_file=file_id, spec=spec, created_at=1)


def training_pids() -> list[int]:
    started = [child.pid for child in descendants("services.trainer.worker")]
    return started + [forked.pid for forked in multiprocessing.active_children() if forked.pid is not None]


@pytest.mark.model
@pytest.mark.timeout(400)
async def test_a_job_is_trained_once_however_often_its_events_are_delivered(
    world: World, keyring: Keyring, tiny: dict[str, str]
) -> None:
    job, ready = requested("job-1", "file-1"), dataset(world.settings, "file-1")
    await world.send(job, ready)
    found = await world.ended("job-1")
    assert found["run"]["status"] == "succeeded", found["run"]["error"]
    assert [point["step"] for point in found["curve"]] == list(range(1, 13))
    saved = await world.published("checkpoint.saved")
    assert [event["candidate"]["step"] for event in saved] == [4, 8, 12]
    assert saved[0]["candidate"]["model_name"].startswith("ft:tiny:assay:mine:")
    assert saved[0]["test"]["rows"] == 5
    assert saved[0]["metrics"]["full_valid_loss"] > 0
    assert found["curve"][3]["full_valid_loss"] == saved[0]["metrics"]["full_valid_loss"]
    assert len(found["smoothed_train_loss"]) == 12
    assert [d["finding"] for d in found["diagnoses"]]
    told = await world.live("job-1")
    assert [event.get("id") for event in told] == [*(str(step) for step in range(1, 13)), None]
    assert json.loads(told[3]["data"])["full_valid_loss"] == saved[0]["metrics"]["full_valid_loss"]
    assert json.loads(told[-1]["data"]) == {"status": "succeeded", "diagnoses": found["diagnoses"]}
    assert len(await world.live("job-1", last_step=10)) == 3

    await world.send(ready, job, TrainingQueued(job_id="job-1"), TrainingQueued(job_id="job-1"))
    await world.send(TrainingCancelRequested(job_id="job-1"))
    # A second job is queued behind those four events, so they are handled when it has ended.
    await world.send(requested("job-2", "file-1", base_model="other"))
    assert (await world.ended("job-2"))["run"]["status"] == "failed"
    await asyncio.sleep(1)
    assert await world.run("job-1") == found
    assert len(await world.published("training.progress")) == 12
    finished = await world.published("training.finished")
    assert [event["job_id"] for event in finished] == ["job-1", "job-2"]
    assert finished[0]["checkpoints"] == [4, 8, 12]


@pytest.mark.model
@pytest.mark.usefixtures("forked")
@pytest.mark.timeout(400)
async def test_replaying_the_stream_into_an_empty_database_trains_nothing(
    bus_settings: CommonSettings, keyring: Keyring, tiny: dict[str, str]
) -> None:
    job_id = job_id_for_file("file-1")
    async with trainer(bus_settings, keyring, tiny) as first:
        await first.send(dataset(bus_settings, "file-1", TrainingSpec(base_model="tiny", hyperparameters=ASKED)))
        before = await first.ended(job_id)
        assert before["run"]["status"] == "succeeded", before["run"]["error"]
    await start_consumers_over(bus_settings)
    empty = bus_settings.model_copy(update={"database_prefix": f"{bus_settings.database_prefix}again_"})
    async with trainer(empty, keyring, tiny) as second:
        after = await second.ended(job_id)
        await asyncio.sleep(3)
        assert training_pids() == []
        assert after["curve"] == before["curve"]
        # Leases are renewed while a run trains, without an event.
        leases = {"leased_until": 0}
        assert after["run"] | leases == before["run"] | leases


@pytest.mark.model
@pytest.mark.usefixtures("forked")
@pytest.mark.timeout(400)
async def test_an_outage_of_the_artifact_store_delays_a_run_and_counts_as_no_crash(
    bus_settings: CommonSettings, keyring: Keyring, tiny: dict[str, str]
) -> None:
    artifacts = Path(bus_settings.artifacts)
    async with trainer(bus_settings, keyring, tiny) as world:
        ready = dataset(bus_settings, "file-1", rows=64)
        await world.send(ready, requested("job-1", "file-1", n_epochs=10, n_checkpoints=4))
        await world.until("job-1", lambda found: bool(found["curve"]))
        artifacts.rename(artifacts.with_suffix(".away"))
        # The process ends when it cannot store the first checkpoint.
        await world.until("job-1", lambda found: not found["run"]["leased_until"])
        assert (await world.run("job-1"))["run"]["crashes"] == 0
        artifacts.with_suffix(".away").rename(artifacts)
        found = (await world.ended("job-1"))["run"]
    assert (found["status"], found["attempt"], found["crashes"]) == ("succeeded", 2, 0)
    assert [each["cause"] for each in found["interruptions"]] == ["outage"]


async def start_consumers_over(settings: CommonSettings) -> None:
    """Deliver the whole stream to every consumer again."""
    async with jetstream(settings) as js:
        await replay.start_over(js, replay.SERVICES)


@pytest.mark.model
@pytest.mark.usefixtures("forked")
@pytest.mark.timeout(400)
async def test_a_trainer_that_is_asked_to_stop_saves_and_another_resumes_at_the_next_step(
    bus_settings: CommonSettings, keyring: Keyring, tiny: dict[str, str]
) -> None:
    async with trainer(bus_settings, keyring, tiny) as first:
        many = dataset(bus_settings, "file-1", rows=64)
        await first.send(many, requested("job-1", "file-1", n_epochs=10, n_checkpoints=1))
        await first.until("job-1", lambda found: len(found["curve"]) > 2)
    async with trainer(bus_settings, keyring, tiny) as second:
        found = await second.ended("job-1")
        progress = await second.published("training.progress")
    assert (found["run"]["status"], found["run"]["attempt"]) == ("succeeded", 2)
    steps = {number: [e["step"] for e in progress if e["attempt"] == number] for number in (1, 2)}
    assert steps[1] + steps[2] == list(range(1, 161))
    assert found["run"]["saved"]["step"] == steps[1][-1]
    unknown_end = [event["step"] for event in progress if event.get("estimated_finish") is None]
    assert unknown_end == [1, steps[2][0]]


@pytest.mark.model
@pytest.mark.usefixtures("forked")
@pytest.mark.timeout(400)
async def test_a_killed_worker_is_resumed_from_its_last_checkpoint(world: World) -> None:
    await world.send(dataset(world.settings, "file-1"), requested("job-1", "file-1", n_epochs=45))
    await world.until("job-1", lambda found: len(found["run"].get("checkpoints", [])) >= 1)
    [pid] = training_pids()
    os.kill(pid, signal.SIGKILL)
    # A fast machine may have saved another one meanwhile.
    begun = await world.until("job-1", lambda found: found["run"]["attempt"] == 2)
    behind = begun["run"]["checkpoints"][-1]["step"]
    found = await world.ended("job-1")
    assert (found["run"]["status"], found["run"]["attempt"]) == ("succeeded", 2)
    assert [point["step"] for point in found["curve"]] == list(range(1, 181))
    progress = await world.published("training.progress")
    assert min(event["step"] for event in progress if event["attempt"] == 2) == behind + 1
    assert [event["candidate"]["step"] for event in await world.published("checkpoint.saved")] == [60, 120, 180]


@pytest.mark.model
@pytest.mark.usefixtures("forked")
@pytest.mark.timeout(400)
async def test_a_failed_job_has_a_reason_and_the_next_one_trains_until_it_is_cancelled(world: World) -> None:
    ready, asked = endless(world.settings)
    await world.send(ready, requested("job-0", "file-1", max_length=16))
    error = (await world.ended("job-0"))["run"]["error"]
    assert error["code"] == "rows_too_long"
    assert error["message"].endswith(ADVICE["rows_too_long"])
    await world.send(asked)
    await world.until("job-1", lambda found: len(found["curve"]) > 2)
    assert 'assay_training_loss_nats{job_id="job-1"}' in await world.metrics()
    await world.send(TrainingCancelRequested(job_id="job-1"))
    found = await world.ended("job-1")
    assert found["run"]["status"] == "cancelled"
    assert len(found["curve"]) < 20_000
    assert [event["status"] for event in await world.published("training.finished")] == ["failed", "cancelled"]
    async with asyncio.timeout(10):
        while training_pids():
            await asyncio.sleep(0.1)
    assert 'job_id="job-1"' not in await world.metrics()


@pytest.mark.model
@pytest.mark.usefixtures("forked")
@pytest.mark.timeout(400)
async def test_a_trainer_that_lost_its_lease_writes_no_more_and_kills_its_worker(world: World) -> None:
    await world.send(*endless(world.settings))
    await world.until("job-1", lambda found: len(found["curve"]) > 2)
    store = Store(world.settings.mongo_url, f"{world.settings.database_prefix}trainer", "trainer")
    # As another trainer would claim the run.
    await store.database["runs"].update_one({"_id": "job-1"}, {"$inc": {"attempt": 1, "revision": 1}})
    async with asyncio.timeout(20):
        while training_pids():
            await asyncio.sleep(0.1)
    steps = len((await world.run("job-1"))["curve"])
    await asyncio.sleep(1)
    found = await world.run("job-1")
    assert (found["run"]["status"], found["run"]["attempt"], len(found["curve"])) == ("running", 2, steps)
    store.close()


@pytest.fixture
async def quick(bus_settings: CommonSettings, keyring: Keyring) -> AsyncIterator[World]:
    """A trainer without base models."""
    async with trainer(bus_settings, keyring, {}) as world:
        yield world


async def test_a_job_with_a_rejected_file_fails_and_the_error_names_the_lines(quick: World) -> None:
    errors = (RowError(line=5, field="messages", reason="is empty"), RowError(line=9, field="", reason="is not JSON"))
    await quick.send(requested("job-1", "file-1"))
    assert (await quick.until("job-1", lambda f: f["run"]["status"] != "unknown"))["run"][
        "status"
    ] == "validating_files"
    await quick.send(DatasetRejected(file_id="file-1", rows=20, bad_rows=4, errors=errors))
    error = (await quick.ended("job-1"))["run"]["error"]
    assert error["code"] == "invalid_training_file"
    assert error["message"] == (
        "4 of 20 lines of file-1 are bad: line 5: messages: is empty; line 9: : is not JSON; and 2 more"
    )
    # A job that is requested afterwards fails as well.
    await quick.send(requested("job-2", "file-1"))
    assert (await quick.ended("job-2"))["run"]["error"] == error


async def test_a_job_for_an_unknown_base_model_fails_at_once(quick: World) -> None:
    split = Split(artifact=Artifacts(quick.settings.artifacts).put_bytes(b"{}"), rows=10)
    ready = DatasetReady(file_id="file-1", rows=30, splits=Splits(train=split, validation=split, test=split))
    await quick.send(ready, requested("job-1", "file-1", base_model="gpt-9"))
    run = (await quick.ended("job-1"))["run"]
    assert (run["error"]["code"], run["error"]["param"]) == ("model_not_found", "model")
    assert "'gpt-9'" in run["error"]["message"]


async def test_a_job_that_waits_for_its_file_is_cancelled_at_once(quick: World) -> None:
    await quick.send(TrainingCancelRequested(job_id="job-1"), requested("job-1", "file-1"))
    run = (await quick.ended("job-1"))["run"]
    assert (run["status"], run["attempt"]) == ("cancelled", 0)
    [finished] = await quick.published("training.finished")
    assert finished["status"] == "cancelled"


async def test_a_run_is_visible_only_to_its_own_key(quick: World, keyring: Keyring) -> None:
    mine, others = keyring.create("mine", ("train",)), keyring.create("others", ("train",))
    known = keyring.keys()
    [owner] = [key.id for key in known if key.name == "mine"]
    job = requested("job-1", "file-1").model_copy(update={"owner": owner})
    await quick.send(job, TrainingCancelRequested(job_id="job-1"))
    await quick.ended("job-1")
    assert await quick.seen_by(mine, "job-1") == (200, 200, ["job-1"])
    assert await quick.seen_by(others, "job-1") == (404, 404, [])
