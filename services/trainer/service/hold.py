"""One attempt's hold on a run: whatever it writes asks first whether it still has it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

from services.trainer.domain.run import Run
from services.trainer.ports import Archive, Decision, RunStore
from shared.cloudevents import EventData


class RunLost(Exception):
    """Another trainer holds this run by now, or it has ended."""


@dataclass(frozen=True)
class Hold:
    """A run as it was when this attempt took it, and the way to change it for as long as it is this attempt's."""

    store: RunStore
    archive: Archive
    run: Run

    async def now(self) -> Run:
        """The run as it is now; raises `RunLost` when it is no longer this attempt's."""
        current = await self.store.get(self.run.id)
        if current is None or not current.held_by(self.run.attempt):
            raise RunLost
        return current

    async def change(self, change: Callable[[Run], Run], events: Sequence[EventData] = ()) -> Run:
        """Change the run, with events that follow only if that changed it; raises `RunLost`."""
        lost = False

        def decide(current: Run) -> Decision | None:
            nonlocal lost
            lost = not current.held_by(self.run.attempt)
            changed = current if lost else change(current)
            return None if changed == current else (changed, events)

        changed = await self.store.change(self.run.id, decide)
        if changed is None or lost:
            raise RunLost
        return changed

    async def end(self, ending: Callable[[Run, int], Run]) -> None:
        """End the run. The archive comes first: what is in it is never trained again, whatever the database forgets."""
        now = int(time.time())
        ended = ending(await self.now(), now)
        await self.archive.keep(ended, await self.store.curve(self.run.id))
        await self.change(lambda current: ending(current, now), [ended.finished_event()])

    @staticmethod
    def renewed(run: Run) -> Run:
        """The run with its lease prolonged."""
        return run.renew(time.time())

    async def let_go(self) -> None:
        """Let others take the run at once; what cannot be written now is bound to happen when the lease ends."""
        with suppress(Exception):
            await self.change(Run.let_go)


@dataclass(frozen=True)
class Line:
    """The runs that wait for a trainer."""

    store: RunStore
    archive: Archive

    async def take(self) -> Hold | None:
        """Take hold of the run whose turn it is; None when none waits."""
        for run in sorted(await self.store.unfinished(), key=lambda run: run.turn):
            if run.waits(time.time()) and (hold := await self._take(run.id)):
                return hold
        return None

    async def _take(self, job_id: str) -> Hold | None:
        """Take hold by a new attempt number, unless another was faster or the run needs no training any more."""
        kept = await self.archive.find(job_id)
        holder, now = uuid4().hex, time.time()

        def decide(run: Run) -> Decision | None:
            if not run.waits(now):
                return None
            taken = kept[0] if kept is not None else run.take(holder, now)
            return taken, [taken.finished_event()] if taken.ended else []

        run = await self.store.change(job_id, decide)
        if run is not None and run.ended and kept is None:
            await self.archive.keep(run, await self.store.curve(job_id))
        return Hold(self.store, self.archive, run) if run is not None and run.holder == holder else None

    async def sleep(self) -> None:
        """Wait a moment before looking again."""
        await asyncio.sleep(1.0)
