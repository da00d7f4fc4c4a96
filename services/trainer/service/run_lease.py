"""A lease on a run: every write checks that the lease is still valid."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from services.trainer.domain.training_run import TrainingRun
from services.trainer.ports import RunArchive
from services.trainer.service.run_store import RunStore
from shared.cloudevents import EventData
from shared.store import Decision


class LeaseLost(Exception):
    """Another trainer has claimed the run, or it has ended."""


@dataclass(frozen=True)
class RunLease:
    """`run` is the run as it was when this attempt claimed it."""

    store: RunStore
    archive: RunArchive
    run: TrainingRun

    async def current(self) -> TrainingRun:
        """The run as it is now; raises `LeaseLost`."""
        current = await self.store.runs.get(self.run.id)
        if current is None or not current.owned_by(self.run.attempt):
            raise LeaseLost
        return current

    async def change(
        self, change: Callable[[TrainingRun], TrainingRun], events: Sequence[EventData] = ()
    ) -> TrainingRun:
        """Change the run; the events are published only if the run changed. Raises `LeaseLost`."""
        lost = False

        def decide(current: TrainingRun) -> Decision[TrainingRun] | None:
            nonlocal lost
            lost = not current.owned_by(self.run.attempt)
            changed = current if lost else change(current)
            return None if changed == current else (changed, events)

        changed = await self.store.runs.change(self.run.id, decide)
        if changed is None or lost:
            raise LeaseLost
        return changed

    async def end(self, ending: Callable[[TrainingRun, int], TrainingRun]) -> None:
        """End the run. The archive is written first: an archived run is never trained again, even after data loss."""
        now = int(time.time())
        # Scores or a cancellation may come while the archive is written; archive, event and run must agree.
        while not await self._end(ending(await self.current(), now), lambda current: ending(current, now)):
            pass

    async def _end(self, ended: TrainingRun, ending: Callable[[TrainingRun], TrainingRun]) -> bool:
        """Archive the ended run, and end it unless it would end in another way by now; whether it ended."""
        await self.archive.keep(ended, await self.store.curve(self.run.id))

        def end(current: TrainingRun) -> TrainingRun:
            last = ending(current)
            # Renewing the lease changes the run, too.
            return last if last.model_copy(update={"leased_until": ended.leased_until}) == ended else current

        return (await self.change(end, [ended.finished_event()])).ended

    async def renew(self) -> TrainingRun:
        return await self.change(lambda run: run.renew(time.time()))

    async def release(self) -> None:
        """Let other trainers claim the run at once; if this cannot be written, the lease expires by itself."""
        with suppress(Exception):
            await self.change(TrainingRun.release)
