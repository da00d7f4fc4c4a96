"""The use case of minutes: hold a run, train it in a child process, and turn what that says into state and events."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from services.trainer.domain.messages import (
    CheckpointWritten,
    JobFailed,
    JobFinished,
    JobMessage,
    JobStopped,
    StepDone,
    parse_message,
)
from services.trainer.domain.run import Run
from services.trainer.ports import (
    Archive,
    BaseModels,
    CurvePoint,
    Decision,
    Figures,
    RunStore,
    TrainingProcess,
    TrainingProcesses,
    UnknownBaseModel,
)
from services.trainer.service import NotYetKnown
from shared.child import ChildDied
from shared.events import CheckpointSaved, Failure, TrainingProgress, TrainingQueued

_WATCH_EVERY_S = 1.0
_STOP_GRACE_S = 15.0


class RunLost(Exception):
    """Another trainer holds this run by now, or it has ended."""


class Interrupted(Exception):
    """The training process was stopped by somebody, though nobody cancelled the run."""


@dataclass
class _Pace:
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
class Supervision:
    """Trains queued runs."""

    store: RunStore
    archive: Archive
    base_models: BaseModels
    processes: TrainingProcesses
    figures: Figures
    organization: str

    async def train(self, event: TrainingQueued) -> None:
        """Train a run to its end, from its last checkpoint if it has one; a run that has ended is left alone."""
        run = await self.store.get(event.job_id)
        if run is None or run.status == "validating_files":
            raise NotYetKnown(f"run {event.job_id} cannot be trained yet")
        try:
            while not run.ended:
                run = await self._begin(run.id)
                if not run.ended:
                    run = await self._attempt(run)
        except RunLost:
            # Whoever holds it now sees it through.
            return

    async def _begin(self, job_id: str) -> Run:
        """Take hold of a run by a new attempt number, or end it as the archive or a wish to cancel says."""
        kept = await self.archive.find(job_id)
        now = int(time.time())

        def decide(run: Run) -> Decision | None:
            if run.ended:
                return None
            if kept is not None or run.cancel_requested:
                ended = kept[0] if kept is not None else run.cancel(now)
                return ended, (ended.finished_event(),)
            return run.begin(now), ()

        run = await self._change(job_id, decide)
        if run.ended and kept is None:
            await self.archive.keep(run, await self.store.curve(job_id))
        return run

    async def _attempt(self, run: Run) -> Run:
        """Run one training process; the run as it leaves it: ended, or to be begun again after a crash."""
        try:
            base_model = await self.base_models.find(run.request.spec.base_model)
        except UnknownBaseModel as error:
            failure = Failure(code="model_not_found", message=str(error), param="model")
            return await self._end(run, lambda current, now: current.fail(failure, now))
        process = await self.processes.start(run, base_model)
        watch = asyncio.create_task(self._watch(run, process))
        pace = _Pace()
        try:
            async for message in process.messages():
                ended = await self._hear(run, parse_message(message), pace)
                if ended is not None:
                    return ended
            raise ChildDied(0, "it ended without a word")
        except ChildDied as death:
            return await self._crashed(run, death)
        finally:
            watch.cancel()
            self.figures.forget(run.id)
            await process.kill()

    async def _watch(self, run: Run, process: TrainingProcess) -> None:
        """Stop the process soon after the run was cancelled, and at once when it was lost to another trainer."""
        while True:
            await asyncio.sleep(_WATCH_EVERY_S)
            current = await self.store.get(run.id)
            if current is None or not current.held_by(run.attempt):
                await process.kill()
                return
            if current.cancel_requested:
                process.ask_to_stop()
                await asyncio.sleep(_STOP_GRACE_S)
                await process.kill()
                return

    async def _hear(self, run: Run, message: JobMessage, pace: _Pace) -> Run | None:
        """Act on one message of the process; the run when that ended it."""
        match message:
            case StepDone():
                await self._progress(run, message, pace)
            case CheckpointWritten():
                await self._checkpoint(run, message)
            case JobFinished():
                return await self._end(run, lambda current, now: current.succeed(message, now))
            case JobFailed():
                failure = Failure(code=message.code, message=message.message)
                return await self._end(run, lambda current, now: current.fail(failure, now))
            case JobStopped():
                return await self._stopped(run)
        return None

    async def _progress(self, run: Run, done: StepDone, pace: _Pace) -> None:
        await self._hold(run)
        self.figures.show(run.id, done.metrics)
        event = TrainingProgress(
            job_id=run.id,
            attempt=run.attempt,
            step=done.step,
            total_steps=done.total_steps,
            metrics=done.metrics,
            trained_tokens=done.trained_tokens,
            message=f"Step {done.step}/{done.total_steps}: training loss={done.metrics.train_loss:.2f}",
            estimated_finish=pace.estimated_finish(done.step, done.total_steps),
        )
        await self.store.add_point(CurvePoint(job_id=run.id, attempt=run.attempt, metrics=done.metrics), (event,))

    async def _checkpoint(self, run: Run, written: CheckpointWritten) -> None:
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

        def decide(current: Run) -> Decision | None:
            if not current.held_by(run.attempt):
                return None
            noted = current.checkpoint(written)
            return (noted, (event,)) if noted != current else None

        changed = await self._change(run.id, decide)
        if not changed.held_by(run.attempt):
            raise RunLost
        self.figures.show(run.id, written.metrics)
        point = CurvePoint(job_id=run.id, attempt=run.attempt, metrics=written.metrics)
        await self.store.add_point(point)

    async def _stopped(self, run: Run) -> Run:
        if not (await self._hold(run)).cancel_requested:
            raise Interrupted(f"the process that trained run {run.id} was stopped")
        return await self._end(run, lambda current, now: current.cancel(now))

    async def _crashed(self, run: Run, death: ChildDied) -> Run:
        """Count a death of the process, so that the next attempt follows or the run is given up."""
        if (await self._hold(run)).cancel_requested:
            return await self._end(run, lambda current, now: current.cancel(now))

        def decide(current: Run) -> Decision | None:
            return (current.crash(), ()) if current.held_by(run.attempt) else None

        crashed = await self._change(run.id, decide)
        if crashed.gives_up:
            failure = Failure(code="training_crashed", message=_last_words(crashed, death))
            return await self._end(run, lambda current, now: current.fail(failure, now))
        return crashed

    async def _end(self, run: Run, ending: Callable[[Run, int], Run]) -> Run:
        """End a run. The archive comes first: what is in it is never trained again, whatever the database forgets."""
        now = int(time.time())
        held = await self._hold(run)
        await self.archive.keep(ending(held, now), await self.store.curve(run.id))

        def decide(current: Run) -> Decision | None:
            if not current.held_by(run.attempt):
                return None
            ended = ending(current, now)
            return ended, (ended.finished_event(),)

        return await self._change(run.id, decide)

    async def _hold(self, run: Run) -> Run:
        """The run as it is now; raises `RunLost` when it is no longer this attempt's."""
        current = await self.store.get(run.id)
        if current is None or not current.held_by(run.attempt):
            raise RunLost
        return current

    async def _change(self, job_id: str, decide: Callable[[Run], Decision | None]) -> Run:
        changed = await self.store.change(job_id, decide)
        if changed is None:
            raise RunLost
        return changed


def _last_words(run: Run, death: ChildDied) -> str:
    reached = f"step {run.checkpoints[-1].step}" if run.checkpoints else "its start"
    cause = "it was killed, most likely for want of memory" if death.returncode == -9 else str(death)
    return f"the training process died {run.crashes} times without getting past {reached}: {cause}"
