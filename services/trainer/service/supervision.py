"""The use case of minutes: take the run whose turn it is, and train it in a child process."""

import asyncio
from dataclasses import dataclass
from itertools import count

from services.trainer.domain.messages import parse_message
from services.trainer.ports import BaseModels, Figures, TrainingProcess, TrainingProcesses, UnknownBaseModel
from services.trainer.service.hearing import Hearing
from services.trainer.service.hold import Hold, Line, RunLost
from services.trainer.service.runs import NotYetKnown
from shared.child import ChildDied
from shared.events import Failure, TrainingQueued

_WATCH_EVERY_S = 1.0
_RENEW_EVERY = 5
_STOP_GRACE_S, _SAVE_GRACE_S = 15.0, 300.0


@dataclass(frozen=True)
class Supervision:
    """Trains queued runs."""

    line: Line
    base_models: BaseModels
    processes: TrainingProcesses
    figures: Figures
    organization: str

    async def train(self, event: TrainingQueued) -> None:
        """Train until the event's run has ended or holds.

        The runs trained meanwhile are those whose turn it is, this or another: an event is leave to train one at a
        time, and is given back only when its own run needs nobody any more. So every run that waits has a trainer to
        come, whichever of them dies.
        """
        own = await self.line.store.get(event.job_id)
        if own is None or own.status == "validating_files":
            raise NotYetKnown(f"run {event.job_id} cannot be trained yet")
        while own is not None and not own.at_rest:
            hold = await self.line.take()
            await (self._attempt(hold) if hold is not None else self.line.sleep())
            own = await self.line.store.get(own.id)

    async def _attempt(self, hold: Hold) -> None:
        """Run one training process to its end, whatever that is."""
        try:
            base_model = await self.base_models.find(hold.run.request.spec.base_model)
        except UnknownBaseModel as error:
            failure = Failure(code="model_not_found", message=str(error), param="model")
            await hold.end(lambda current, now: current.fail(failure, now))
            return
        process = await self.processes.start(hold.run, base_model)
        watch = asyncio.create_task(self._watch(hold, process))
        try:
            await self._hear(hold, process)
        except RunLost:
            # Whoever holds it now sees it through.
            pass
        finally:
            watch.cancel()
            self.figures.forget(hold.run.id)
            await process.kill()
            await hold.let_go()

    async def _hear(self, hold: Hold, process: TrainingProcess) -> None:
        hearing = Hearing(hold, self.figures, self.organization)
        try:
            async for message in process.messages():
                if await hearing.hear(parse_message(message)):
                    return
            raise ChildDied(0, "it ended without a word")
        except ChildDied as death:
            await hearing.died(death)

    async def _watch(self, hold: Hold, process: TrainingProcess) -> None:
        """Say that this trainer lives; end the process when the run was lost, and as is wanted when it shall stop."""
        asked_s: float | None = None
        for tick in count(1):
            await asyncio.sleep(_WATCH_EVERY_S)
            try:
                run = await (hold.change(hold.renewed) if tick % _RENEW_EVERY == 0 else hold.now())
            except RunLost:
                await process.kill()
                return
            except Exception:  # noqa: S112
                # The database is away; the process's own next word fails the attempt if it stays so.
                continue
            if asked_s is None and (run.stops or run.pause_wanted):
                (process.ask_to_stop if run.stops else process.ask_to_save_and_stop)()
                asked_s = tick * _WATCH_EVERY_S
            grace_s = _STOP_GRACE_S if run.stops else _SAVE_GRACE_S
            if asked_s is not None and tick * _WATCH_EVERY_S - asked_s > grace_s:
                await process.kill()
                return
