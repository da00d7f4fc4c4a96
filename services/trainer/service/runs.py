"""The use cases around a run: request it, give it its data, cancel it, look at it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from services.trainer.domain.feedback import Evaluated
from services.trainer.domain.names import job_id_for_file
from services.trainer.domain.run import Run
from services.trainer.ports import Archive, CurvePoint, DatasetView, Decision, RunStore
from services.trainer.service.admission import Admission
from shared.cloudevents import EventData
from shared.events import (
    DatasetReady,
    DatasetRejected,
    EvalDone,
    TrainingCancelRequested,
    TrainingMetrics,
    TrainingPauseRequested,
    TrainingQueued,
    TrainingRequested,
    TrainingResumeRequested,
)

_LOOK_EVERY_S = 1.0


class NotYetKnown(Exception):
    """An event is about a run whose request has not arrived yet: it will."""


@dataclass(frozen=True)
class Runs:
    """The use cases over runs that need no training process."""

    store: RunStore
    archive: Archive
    admission: Admission

    async def request(self, event: TrainingRequested) -> None:
        """Record a run, once; it is queued as soon as its data is there, or failed if its data was refused."""
        if await self.store.get(event.job_id) is None and not await self.restore(event.job_id):
            await self.store.create(
                Run(id=event.job_id, request=event, created_at=event.created_at or int(time.time()))
            )
        await self.admission.settle(event.job_id)

    async def restore(self, job_id: str) -> bool:
        """Take a run that ended before this database was made back from the archive; False when there is none."""
        kept = await self.archive.find(job_id)
        if kept is None:
            return False
        run, curve = kept
        for metrics in curve:
            await self.store.add_point(CurvePoint(job_id=job_id, attempt=run.attempt, metrics=metrics))
        await self.store.create(run)
        return True

    async def dataset_ready(self, event: DatasetReady) -> None:
        """Let the runs go that wait for this dataset; with `train`, request one."""
        wanted: list[EventData] = []
        if event.train is not None:
            job_id = job_id_for_file(event.file_id)
            now = int(time.time())
            wanted = [
                TrainingRequested(
                    job_id=job_id, training_file=event.file_id, spec=event.train, owner=event.owner, created_at=now
                )
            ]
        await self.store.add_dataset(DatasetView(id=event.file_id, ready=event), wanted)
        await self.admission.settle_waiting_for(event.file_id)

    async def dataset_rejected(self, event: DatasetRejected) -> None:
        """Fail the runs that wait for this dataset."""
        await self.store.add_dataset(DatasetView(id=event.file_id, rejected=event))
        await self.admission.settle_waiting_for(event.file_id)

    async def cancel(self, event: TrainingCancelRequested) -> None:
        """Cancel a run that waits, now; one that trains is stopped by the trainer that holds it."""
        now = int(time.time())

        def decide(run: Run) -> Decision | None:
            if run.ended or run.cancel_requested:
                return None
            if run.status == "running":
                return run.request_cancel(), ()
            cancelled = run.cancel(now)
            return cancelled, (cancelled.finished_event(),)

        run = await self.store.change(event.job_id, decide)
        if run is None:
            raise NotYetKnown(f"run {event.job_id} is not known yet")
        if run.ended:
            await self.archive.keep(run, ())

    async def pause(self, event: TrainingPauseRequested) -> None:
        """Let a run hold: one that trains saves its state first, and frees the machine."""
        await self._wish(event.job_id, lambda run, now: run.want_pause(event.change, now))

    async def resume(self, event: TrainingResumeRequested) -> None:
        """Let a run that holds wait in line again."""
        await self._wish(event.job_id, lambda run, now: run.want_resume(event.change, now))

    async def evaluated(self, event: EvalDone) -> None:
        """Note a checkpoint's scores: which is best, and whether to stop before the last step."""
        evaluated = Evaluated.of(event)

        def decide(run: Run) -> Decision | None:
            scored = run.score(evaluated)
            return None if scored == run else (scored, ())

        if await self.store.change(event.candidate.job_id, decide) is None:
            raise NotYetKnown(f"run {event.candidate.job_id} is not known yet")

    async def get(self, job_id: str) -> Run | None:
        return await self.store.get(job_id)

    async def curve(self, job_id: str) -> list[TrainingMetrics]:
        return await self.store.curve(job_id)

    async def live(self, job_id: str, after_step: int = 0) -> AsyncIterator[TrainingMetrics]:
        """Each step's figures beyond `after_step`, as they come and again when validation adds to them, to the end."""
        told: dict[int, TrainingMetrics] = {}
        ended = False
        while not ended:
            run = await self.store.get(job_id)
            # Asked before the curve: what an ended run's curve holds then is all of it.
            ended = run is None or run.ended
            for point in await self.store.curve(job_id):
                if point.step > after_step and told.get(point.step) != point:
                    told[point.step] = point
                    yield point
            if not ended:
                await asyncio.sleep(_LOOK_EVERY_S)

    async def newest(self, limit: int, owner: str | None = None) -> list[Run]:
        """The newest runs of one owner, or of all."""
        return await self.store.newest(limit, owner)

    async def _wish(self, job_id: str, change: Callable[[Run, int], Run]) -> None:
        now = int(time.time())

        def decide(run: Run) -> Decision | None:
            changed = change(run, now)
            if changed == run:
                return None
            queued = changed.status == "queued" and run.status == "paused"
            return changed, (TrainingQueued(job_id=job_id, turn=changed.change),) if queued else ()

        if await self.store.change(job_id, decide) is None:
            raise NotYetKnown(f"run {job_id} is not known yet")
