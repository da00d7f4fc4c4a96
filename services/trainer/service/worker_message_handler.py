"""Turns messages from a worker process into state changes and events."""

import time
from dataclasses import dataclass

from services.trainer.domain.candidate import candidate_of
from services.trainer.domain.curve.curve_point import CurvePoint
from services.trainer.domain.remaining_time import estimated_end
from services.trainer.domain.training_run import TrainingRun
from services.trainer.domain.worker_messages import (
    CheckpointWritten,
    JobFailed,
    JobFinished,
    JobInterrupted,
    JobStopped,
    Prepared,
    StateSaved,
    StepDone,
    Validated,
    WorkerMessage,
)
from services.trainer.service.run_lease import RunLease
from services.trainer.service.run_metrics import RunMetrics
from shared.child import ChildDied
from shared.events import CheckpointSaved, Failure, TrainingProgress


class Interrupted(Exception):
    """An outage, or something else outside the trainer, stopped the worker process."""


@dataclass(frozen=True)
class WorkerMessageHandler:
    """Handles the messages of one attempt."""

    lease: RunLease
    metrics: RunMetrics

    async def on_message(self, message: WorkerMessage) -> bool:
        """True for the last message; raises `LeaseLost` or `Interrupted`."""
        match message:
            case Prepared():
                await self.lease.change(lambda run: run.prepared(message))
            case StepDone():
                await self._on_step(message)
            case Validated():
                await self._on_validation(message)
            case CheckpointWritten():
                await self._on_checkpoint(message)
            case StateSaved():
                await self.lease.change(lambda run: run.add_saved_state(message))
            case JobFinished():
                await self.lease.end(lambda run, now: run.succeed(message, now))
            case JobFailed():
                failure = Failure(code=message.code, message=message.message)
                await self.lease.end(lambda run, now: run.fail(failure, now))
            case JobStopped():
                await self._on_stopped(message)
            case JobInterrupted():
                await self._on_interrupted(message)
        return isinstance(message, JobFinished | JobFailed | JobStopped | JobInterrupted)

    async def on_death(self, death: ChildDied) -> None:
        """The process died: carry out a pending stop or pause, else count a crash and fail after too many."""
        if await self._carry_out_request(JobStopped()):
            return
        crashed = await self.lease.change(TrainingRun.add_crash)
        if crashed.crashed_too_often:
            failure = Failure(code="training_crashed", message=_crash_message(crashed, death))
            await self.lease.end(lambda run, now: run.fail(failure, now))

    async def _on_step(self, done: StepDone) -> None:
        run = await self.lease.current()
        self.metrics.update(run.id, done.metrics)
        event = TrainingProgress(
            job_id=run.id,
            attempt=self.lease.run.attempt,
            step=done.step,
            total_steps=done.total_steps,
            metrics=done.metrics,
            trained_tokens=done.trained_tokens,
            message=f"Step {done.step}/{done.total_steps}: training loss={done.metrics.train_loss:.2f}",
            estimated_finish=estimated_end(run.began, done.step, done.total_steps, time.time()),
        )
        await self.lease.store.add_point(self._point(done), (event,))

    async def _on_validation(self, validated: Validated) -> None:
        await self.lease.change(lambda run: run.add_validation(validated.validation))
        self.metrics.update(self.lease.run.id, validated.metrics)
        await self.lease.store.add_point(self._point(validated))

    async def _on_checkpoint(self, written: CheckpointWritten) -> None:
        run = self.lease.run
        assert run.plan is not None
        assert run.data is not None
        event = CheckpointSaved(
            candidate=candidate_of(run, written),
            total_steps=run.plan.total_steps,
            metrics=written.metrics,
            test=run.data.test,
            state=written.state,
            train=run.data.train,
            validation=run.data.compared_on(len(run.plan.checkpoint_steps)),
        )
        await self.lease.change(lambda current: current.add_checkpoint(written), [event])
        self.metrics.update(run.id, written.metrics)
        await self.lease.store.add_point(self._point(written))

    async def _on_stopped(self, message: JobStopped) -> None:
        # A saved state without a request means that this trainer is shutting down: the run stays claimable.
        if not await self._carry_out_request(message) and not message.state_saved:
            raise Interrupted(f"another program stopped the training process of run {self.lease.run.id}")

    async def _on_interrupted(self, message: JobInterrupted) -> None:
        if not await self._carry_out_request(JobStopped()):
            await self.lease.change(lambda run: run.model_copy(update={"interrupted_by": "outage"}))
            raise Interrupted(message.reason)

    async def _carry_out_request(self, stopped: JobStopped) -> bool:
        """End or pause the run if that was requested."""
        run = await self.lease.current()
        if run.must_stop:
            await self.lease.end(lambda current, now: current.stop(stopped, now))
        elif run.pause_requested:
            await self.lease.change(lambda current: current.pause(int(time.time())))
        return run.must_stop or run.pause_requested

    def _point(self, message: StepDone | Validated | CheckpointWritten) -> CurvePoint:
        run = self.lease.run
        return CurvePoint(job_id=run.id, attempt=run.attempt, metrics=message.metrics, at=time.time())


def _crash_message(run: TrainingRun, death: ChildDied) -> str:
    reached = f"step {run.checkpoints[-1].step}" if run.checkpoints else "its start"
    cause = "it was killed, most likely because memory ran out" if death.returncode == -9 else str(death)
    return f"the training process died {run.crashes} times without getting past {reached}: {cause}"
