"""Claims queued runs and trains them in worker processes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from services.trainer.domain.worker_messages import parse_message
from services.trainer.ports import BaseModels, UnknownBaseModel, Worker, Workers
from services.trainer.service.run_control import NotYetKnown
from services.trainer.service.run_lease import LeaseLost, RunLease
from services.trainer.service.run_metrics import RunMetrics
from services.trainer.service.run_queue import RunQueue
from services.trainer.service.worker_message_handler import WorkerMessageHandler
from shared import tracing
from shared.child import ChildDied
from shared.events import Failure, TrainingQueued

_POLL_S = 1.0
_RENEW_EVERY_POLLS = 5
_STOP_GRACE_S, _SAVE_GRACE_S = 15.0, 300.0


@dataclass
class TrainingSupervisor:
    """`shutdown_grace_s`: how long a trainer that shuts down waits for its workers to save their state."""

    queue: RunQueue
    base_models: BaseModels
    workers: Workers
    metrics: RunMetrics
    shutdown_grace_s: float
    _shutting_down: bool = False
    _active: dict[Worker, asyncio.Event] = field(default_factory=dict[Worker, asyncio.Event])

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncGenerator[None]:
        """On shutdown save the state of running jobs and release them, so that other trainers resume them at once."""
        try:
            yield
        finally:
            self._shutting_down = True
            for worker in self._active:
                worker.ask_to_save_and_stop()
            released = [asyncio.create_task(event.wait()) for event in self._active.values()]
            if released:
                await asyncio.wait(released, timeout=self.shutdown_grace_s)

    async def train(self, event: TrainingQueued) -> None:
        """Train until the event's run has ended or is paused.

        Each event permits training one run at a time: the first of the queue, which need not be the event's own run.
        The event is acknowledged once its own run has ended or is paused; until then any trainer may take over.
        """
        own = await self.queue.store.runs.get(event.job_id)
        if own is None or own.status == "validating_files":
            raise NotYetKnown(f"run {event.job_id} cannot be trained yet")
        while own is not None and own.needs_trainer:
            # While shutting down, wait for the cancellation that gives the event back.
            lease = None if self._shutting_down else await self.queue.claim()
            await (self._attempt(lease) if lease is not None else asyncio.sleep(_POLL_S))
            own = await self.queue.store.runs.get(own.id)

    async def _attempt(self, lease: RunLease) -> None:
        """Run one worker process until it ends, in a span of the run's trace, which need not be the event's."""
        run = lease.run
        about = {"assay.job.id": run.id, "assay.attempt": run.attempt, "assay.base_model": run.request.spec.base_model}
        with tracing.span("training run", parent=run.traceparent, attributes=about) as span:
            await self._train(lease)
            if span.is_recording() and (ended := await self.queue.store.runs.get(run.id)) is not None:
                span.set_attribute("assay.run.status", ended.status)
                if ended.error is not None:
                    tracing.fail(span, ended.error.message)

    async def _train(self, lease: RunLease) -> None:
        try:
            base_model = await self.base_models.find(lease.run.request.spec.base_model)
            worker = await self.workers.start(lease.run, base_model)
        except asyncio.CancelledError:
            # This trainer shuts down. After another error the lease expires by itself: the next try may fail, too.
            await lease.release()
            raise
        except UnknownBaseModel as error:
            failure = Failure(code="model_not_found", message=str(error), param="model")
            await lease.end(lambda current, now: current.fail(failure, now))
            return
        released = self._active[worker] = asyncio.Event()
        watch = asyncio.create_task(self._watch(lease, worker))
        try:
            await self._handle_messages(lease, worker)
        except LeaseLost:
            # The new owner continues the run.
            pass
        finally:
            watch.cancel()
            self.metrics.remove(lease.run.id)
            await worker.kill()
            await lease.release()
            del self._active[worker]
            released.set()

    async def _handle_messages(self, lease: RunLease, worker: Worker) -> None:
        handler = WorkerMessageHandler(lease, self.metrics)
        try:
            async for message in worker.messages():
                if await handler.on_message(parse_message(message)):
                    return
            raise ChildDied(0, "it ended without reporting a result")
        except ChildDied as death:
            # A worker that is still loading cannot save: the signal ends it, which is not a crash.
            if not self._shutting_down:
                await handler.on_death(death)

    async def _watch(self, lease: RunLease, worker: Worker) -> None:
        """Renew the lease, pass stop and pause requests to the worker, and kill it if the lease is lost."""
        asked_at_s: float | None = None
        for poll in count(1):
            await asyncio.sleep(_POLL_S)
            try:
                run = await (lease.renew() if poll % _RENEW_EVERY_POLLS == 0 else lease.current())
            except LeaseLost:
                await worker.kill()
                return
            except Exception:  # noqa: S112
                # The database is unreachable; if it stays so, handling the next message fails the attempt.
                continue
            if asked_at_s is None and (run.must_stop or run.pause_requested):
                (worker.ask_to_stop if run.must_stop else worker.ask_to_save_and_stop)()
                asked_at_s = poll * _POLL_S
            grace_s = _STOP_GRACE_S if run.must_stop else _SAVE_GRACE_S
            if asked_at_s is not None and poll * _POLL_S - asked_at_s > grace_s:
                await worker.kill()
                return
