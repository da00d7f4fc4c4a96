"""A trainer that is asked to stop saves the state of its run and gives it back."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from services.trainer.domain.training_run import TrainingRun
from services.trainer.domain.worker_messages import JobStopped, StateSaved
from services.trainer.ports import BaseModel
from services.trainer.service.run_metrics import RunMetrics
from services.trainer.service.training_supervisor import TrainingSupervisor
from shared.child import ChildDied
from shared.events import Artifact, TrainingQueued
from tests.unit.trainer.in_memory import Service

SAVED = StateSaved(step=7, state=Artifact(uri="file:///s", sha256="b" * 64, bytes=1))


@dataclass(eq=False)
class SavingWorker:
    """Trains until it is asked to save; then it sends its state, unless it hangs or dies."""

    hangs: bool = False
    dies: bool = False
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    killed: bool = False

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        await self.asked.wait()
        if self.hangs:
            await asyncio.sleep(3600)
        if self.dies:
            raise ChildDied(-10, "")
        yield SAVED.model_dump(mode="json")
        yield JobStopped(state_saved=True).model_dump(mode="json")

    def ask_to_stop(self) -> None: ...

    def ask_to_save_and_stop(self) -> None:
        self.asked.set()

    async def kill(self) -> None:
        self.killed = True


@dataclass
class OneWorker:
    worker: SavingWorker
    started: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self, run: TrainingRun, base_model: BaseModel) -> SavingWorker:
        self.started.set()
        return self.worker


async def shut_down_while_training(workers: OneWorker) -> tuple[Service, asyncio.Task[None]]:
    service = Service()
    await service.add_dataset("file")
    await service.request("job", 1.5)
    supervisor = TrainingSupervisor(service.queue, service.base_models, workers, RunMetrics(), 0.5)
    async with supervisor.lifespan(None):
        handler = asyncio.create_task(supervisor.train(TrainingQueued(job_id="job")))
        await workers.started.wait()
        await asyncio.sleep(0)
    return service, handler


async def test_a_trainer_that_is_asked_to_stop_saves_the_run_and_releases_it() -> None:
    service, handler = await shut_down_while_training(OneWorker(SavingWorker()))
    run = await service.run("job")
    assert (run.saved, run.status, run.leased_until) == (SAVED, "running", 0)
    # The event is not acknowledged: the handler waits until the bus cancels it and gives the event back.
    assert not handler.done()
    handler.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handler
    lease = await service.queue.claim()
    assert lease is not None
    assert lease.run.resume_from == SAVED


async def test_a_worker_that_does_not_save_in_time_does_not_hold_up_the_shutdown() -> None:
    worker = SavingWorker(hangs=True)
    service, handler = await shut_down_while_training(OneWorker(worker))
    handler.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handler
    assert worker.killed
    run = await service.run("job")
    assert (run.saved, run.leased_until) == (None, 0)


async def test_a_worker_that_dies_because_it_cannot_save_yet_is_not_counted_as_a_crash() -> None:
    service, handler = await shut_down_while_training(OneWorker(SavingWorker(dies=True)))
    handler.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handler
    run = await service.run("job")
    assert (run.crashes, run.status, run.leased_until) == (0, "running", 0)


class NeverStarts(OneWorker):
    """Its worker process takes long to start."""

    async def start(self, run: TrainingRun, base_model: BaseModel) -> SavingWorker:
        self.started.set()
        return await asyncio.Event().wait()  # type: ignore[return-value]


async def test_a_trainer_that_stops_while_a_worker_starts_releases_the_run() -> None:
    service, handler = await shut_down_while_training(NeverStarts(SavingWorker()))
    handler.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handler
    assert (await service.run("job")).leased_until == 0
    assert await service.queue.claim() is not None
