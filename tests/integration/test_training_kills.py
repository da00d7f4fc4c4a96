"""`kill -9` at any moment loses nothing before the last checkpoint, and a trainer without a lease cannot write."""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.trainer.adapters.base_models import NamedBaseModels
from services.trainer.adapters.run_archive import FileRunArchive
from services.trainer.domain.training_run import MAX_CRASHES_WITHOUT_PROGRESS, TrainingRun
from services.trainer.service.admission import Admission
from services.trainer.service.run_control import RunControl
from services.trainer.service.run_metrics import RunMetrics
from services.trainer.service.run_queue import RunQueue
from services.trainer.service.run_store import RunStore
from services.trainer.service.training_supervisor import TrainingSupervisor
from shared.artifacts import Artifacts
from shared.events import (
    DatasetReady,
    Hyperparameters,
    Split,
    Splits,
    TrainingMetrics,
    TrainingQueued,
    TrainingRequested,
    TrainingSpec,
)
from shared.settings import CommonSettings
from shared.store import Store
from tests.integration.forkserver_workers import ForkedProcesses, context
from tests.unit.trainer import tiny_model

pytestmark = [pytest.mark.model, pytest.mark.timeout(300)]

KILLS, EVERY, STEPS_AN_EPOCH = int(os.environ.get("ASSAY_TEST_KILLS", "8")), 4, 4
# Long enough that a fast machine does not finish before all kills; a job has at most a hundred checkpoints.
STEPS = 5 * EVERY * KILLS


def asked(steps: int) -> Hyperparameters:
    """With a checkpoint after each few steps."""
    epochs = steps / STEPS_AN_EPOCH
    return Hyperparameters(n_epochs=epochs, batch_size=4, learning_rate=0.01, n_checkpoints=steps // EVERY, lora_rank=4)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {"tiny": str(tiny_model.save(tmp_path_factory.mktemp("base")))}


@dataclass
class Trainer:
    """The trainer's use cases over a real database, and the processes that they start."""

    database: Store
    store: RunStore
    control: RunControl
    supervisor: TrainingSupervisor
    processes: ForkedProcesses

    async def request(self, job_id: str, steps: int) -> None:
        spec = TrainingSpec(base_model="tiny", hyperparameters=asked(steps))
        await self.control.request(TrainingRequested(job_id=job_id, training_file="file", spec=spec, created_at=1))

    def train(self, job_id: str) -> asyncio.Task[None]:
        return asyncio.create_task(self.supervisor.train(TrainingQueued(job_id=job_id)))

    async def run(self, job_id: str) -> TrainingRun:
        run = await self.store.runs.get(job_id)
        assert run is not None
        return run

    async def attempts(self, job_id: str) -> dict[int, list[int]]:
        """The steps of each attempt."""
        steps: dict[int, list[int]] = {}
        for point in await self.store.points.find(job_id=job_id):
            steps.setdefault(point.attempt, []).append(point.metrics.step)
        return {attempt: sorted(steps[attempt]) for attempt in sorted(steps)}

    async def published(self, job_id: str) -> list[tuple[str, dict[str, Any]]]:
        """The events about a run in the outbox; nothing publishes them here."""
        waiting = [envelope for _, _, events in await self.database.unsent_events() for envelope in events]
        return [(envelope.type, envelope.data) for envelope in waiting if envelope.subject == job_id]


def build(settings: CommonSettings, tiny: dict[str, str], work: Path) -> Trainer:
    database = Store(settings.mongo_url, f"{settings.database_prefix}trainer", "trainer")
    store = RunStore.of(database)
    archive, base_models = FileRunArchive(settings.artifacts), NamedBaseModels(tiny)
    processes = ForkedProcesses(settings.artifacts, work)
    queue = RunQueue(store, archive)
    supervisor = TrainingSupervisor(queue, base_models, processes, RunMetrics(), shutdown_grace_s=0)
    control = RunControl(store, archive, Admission(store, archive, base_models, "assay", memory_bytes=2**34))
    return Trainer(database, store, control, supervisor, processes)


@pytest.fixture
async def trainer(common: CommonSettings, tiny: dict[str, str], tmp_path: Path) -> AsyncIterator[Trainer]:
    made = build(common, tiny, tmp_path / "work")
    await made.database.prepare()
    artifacts = Artifacts(common.artifacts)
    parts = {
        name: Split(artifact=artifacts.put_bytes(tiny_model.rows(rows)), rows=rows)
        for name, rows in (("train", 16), ("validation", 4), ("test", 5))
    }
    await made.control.dataset_ready(DatasetReady(file_id="file", rows=25, splits=Splits(**parts)))
    yield made
    made.database.close()


async def kill_often(trainer: Trainer, job_id: str, task: asyncio.Task[None], rng: random.Random) -> int:
    """Kill the worker at random moments; returns the number of kills."""
    killed, seen = 0, trainer.processes.newest
    while killed < KILLS and not task.done():
        process = trainer.processes.newest
        if process is None or process is seen:
            await asyncio.sleep(0.01)
            continue
        seen, before = process, await trainer.run(job_id)
        # One more crash without a checkpoint would rightly fail the run.
        due = before.crashes == MAX_CRASHES_WITHOUT_PROGRESS
        while due and len((await trainer.run(job_id)).checkpoints) == len(before.checkpoints):
            await asyncio.sleep(0.01)
        # During loading, a step or saving: after some number of messages and a random moment.
        messages = rng.choice((0, rng.randint(1, EVERY + 2)))
        while process.messages_sent < messages:
            await asyncio.sleep(0.002)
        await asyncio.sleep(rng.uniform(0, 0.05) if messages else rng.uniform(0, 0.6))
        os.kill(process.process.pid or 0, signal.SIGKILL)
        killed += 1
    return killed


@pytest.mark.long
async def test_kills_at_random_moments_lose_no_step_and_change_no_loss(trainer: Trainer) -> None:
    await trainer.request("whole", STEPS)
    await trainer.train("whole")
    await trainer.request("killed", STEPS)
    task = trainer.train("killed")
    assert await kill_often(trainer, "killed", task, random.Random(7)) == KILLS
    await task

    run = await trainer.run("killed")
    assert (run.status, run.attempt) == ("succeeded", KILLS + 1)
    attempts = await trainer.attempts("killed")
    saved = range(0, STEPS + 1, EVERY)
    for steps in attempts.values():
        assert steps == list(range(steps[0], steps[-1] + 1))
        assert steps[0] - 1 in saved
    for before, after in zip(attempts.values(), list(attempts.values())[1:], strict=False):
        # It resumed from the newest checkpoint: only steps after that are repeated.
        assert before[-1] - EVERY < after[0] <= before[-1] + 1
    said = await trainer.published("killed")
    counted = Counter(kind for kind, _ in said)
    assert counted["training.finished"] == 1
    assert [data["candidate"]["step"] for kind, data in said if kind == "checkpoint.saved"] == list(saved)[1:]
    whole, killed = await trainer.store.curve("whole"), await trainer.store.curve("killed")
    assert [point.step for point in killed] == list(range(1, STEPS + 1))
    assert max(apart(a, b) for a, b in zip(whole, killed, strict=True)) < 1e-3


def apart(one: TrainingMetrics, other: TrainingMetrics) -> float:
    """The larger difference of two points, in training or validation loss."""
    pairs = [(one.train_loss, other.train_loss), (one.full_valid_loss, other.full_valid_loss)]
    assert all((a is None) is (b is None) for a, b in pairs)
    return max(abs(a - b) for a, b in pairs if a is not None and b is not None)


def sleeper(common: dict[str, Any], tiny: dict[str, str], work: Path, job_id: str) -> None:
    """A trainer in its own process, which can be suspended as a whole."""

    async def train() -> None:
        made = build(CommonSettings.model_validate(common), tiny, work)
        await made.supervisor.train(TrainingQueued(job_id=job_id))

    asyncio.run(train())


async def test_a_trainer_whose_lease_expired_overwrites_nothing(
    trainer: Trainer, common: CommonSettings, tiny: dict[str, str], tmp_path: Path
) -> None:
    steps = 20 * EVERY
    await trainer.request("job", steps)
    other = context().Process(target=sleeper, args=(common.model_dump(mode="json"), tiny, tmp_path / "other", "job"))
    other.start()
    while len((await trainer.run("job")).checkpoints) < 3:
        await asyncio.sleep(0.05)
    os.kill(other.pid or 0, signal.SIGSTOP)
    asleep = await trainer.run("job")
    # As if it was suspended for longer than its lease.
    await trainer.database.database["runs"].update_one({"_id": "job"}, {"$set": {"leased_until": 0.0}})
    task = trainer.train("job")
    while len((await trainer.run("job")).checkpoints) < len(asleep.checkpoints) + 3:
        await asyncio.sleep(0.05)
    # Its worker continued meanwhile; the trainer receives all those messages now.
    os.kill(other.pid or 0, signal.SIGCONT)
    await task
    await asyncio.to_thread(other.join, 30)
    assert other.exitcode == 0
    run = await trainer.run("job")
    assert (run.status, run.attempt) == ("succeeded", 2)
    attempts = await trainer.attempts("job")
    assert attempts[1][-1] <= asleep.checkpoints[-1].step + EVERY
    assert attempts[2] == list(range(asleep.checkpoints[-1].step + 1, steps + 1))
    said = Counter(kind for kind, _ in await trainer.published("job"))
    assert (said["checkpoint.saved"], said["training.finished"]) == (steps // EVERY, 1)
