"""What a training process says becomes state and events."""

import time
from dataclasses import dataclass, field

from services.trainer.domain.messages import (
    CheckpointWritten,
    JobFailed,
    JobFinished,
    JobMessage,
    JobStopped,
    Prepared,
    StateSaved,
    StepDone,
)
from services.trainer.domain.run import Run
from services.trainer.ports import CurvePoint, Figures
from services.trainer.service.hold import Hold
from shared.child import ChildDied
from shared.events import CheckpointSaved, Failure, TrainingProgress


class Interrupted(Exception):
    """The training process was stopped by somebody, though nobody cancelled the run."""


@dataclass
class Pace:
    """When an attempt's first step was done, to tell when its last will be."""

    first_step: int = 0
    first_at: float = field(default_factory=time.time)

    def estimated_finish(self, step: int, total_steps: int) -> int | None:
        """Unix seconds; None before the second step."""
        if not self.first_step:
            self.first_step, self.first_at = step, time.time()
        if step == self.first_step:
            return None
        seconds_a_step = (time.time() - self.first_at) / (step - self.first_step)
        return round(time.time() + seconds_a_step * (total_steps - step))


@dataclass(frozen=True)
class Hearing:
    """One attempt's."""

    hold: Hold
    figures: Figures
    organization: str
    pace: Pace = field(default_factory=Pace)

    async def hear(self, message: JobMessage) -> bool:
        """Act on one message; True when it was the last. Raises `RunLost`, or `Interrupted`."""
        match message:
            case Prepared():
                await self.hold.change(lambda run: run.prepared(message.trainable_share))
            case StepDone():
                await self._progress(message)
            case CheckpointWritten():
                await self._checkpoint(message)
            case StateSaved():
                await self.hold.change(lambda run: run.save(message))
            case JobFinished():
                await self.hold.end(lambda run, now: run.succeed(message, now))
            case JobFailed():
                failure = Failure(code=message.code, message=message.message)
                await self.hold.end(lambda run, now: run.fail(failure, now))
            case JobStopped():
                await self._stopped(message)
        return isinstance(message, JobFinished | JobFailed | JobStopped)

    async def died(self, death: ChildDied) -> None:
        """The process ended by itself: do what it was to end for, or count a death, or give the run up."""
        if await self._as_wanted(JobStopped()):
            return
        crashed = await self.hold.change(Run.crash)
        if crashed.gives_up:
            failure = Failure(code="training_crashed", message=_last_words(crashed, death))
            await self.hold.end(lambda run, now: run.fail(failure, now))

    async def _progress(self, done: StepDone) -> None:
        run = await self.hold.now()
        self.figures.show(run.id, done.metrics)
        event = TrainingProgress(
            job_id=run.id,
            attempt=self.hold.run.attempt,
            step=done.step,
            total_steps=done.total_steps,
            metrics=done.metrics,
            trained_tokens=done.trained_tokens,
            message=f"Step {done.step}/{done.total_steps}: training loss={done.metrics.train_loss:.2f}",
            estimated_finish=self.pace.estimated_finish(done.step, done.total_steps),
        )
        await self.hold.store.add_point(self._point(done), (event,))

    async def _checkpoint(self, written: CheckpointWritten) -> None:
        run = self.hold.run
        assert run.plan is not None
        assert run.data is not None
        event = CheckpointSaved(
            candidate=run.candidate(written, self.organization),
            total_steps=run.plan.total_steps,
            metrics=written.metrics,
            test=run.data.test,
            state=written.state,
            train=run.data.train,
        )
        await self.hold.change(lambda current: current.checkpoint(written), [event])
        self.figures.show(run.id, written.metrics)
        await self.hold.store.add_point(self._point(written))

    async def _stopped(self, message: JobStopped) -> None:
        if not await self._as_wanted(message) and not message.to_hold:
            raise Interrupted(f"the process that trained run {self.hold.run.id} was stopped")

    async def _as_wanted(self, stopped: JobStopped) -> bool:
        """End or pause the run if that is what somebody waits for."""
        run = await self.hold.now()
        if run.stops:
            await self.hold.end(lambda current, now: current.stop(stopped, now))
        elif run.pause_wanted:
            await self.hold.change(lambda current: current.pause(int(time.time())))
        return run.stops or run.pause_wanted

    def _point(self, said: StepDone | CheckpointWritten) -> CurvePoint:
        return CurvePoint(job_id=self.hold.run.id, attempt=self.hold.run.attempt, metrics=said.metrics)


def _last_words(run: Run, death: ChildDied) -> str:
    reached = f"step {run.checkpoints[-1].step}" if run.checkpoints else "its start"
    cause = "it was killed, most likely for want of memory" if death.returncode == -9 else str(death)
    return f"the training process died {run.crashes} times without getting past {reached}: {cause}"
