"""Use cases that control runs: request, cancel, pause and resume them, and give them their datasets and scores."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from services.trainer.domain.curve.curve_point import CurvePoint
from services.trainer.domain.engine_limits import PoolLimits
from services.trainer.domain.model_names import job_id_for_file
from services.trainer.domain.rows.dataset_outcome import DatasetOutcome
from services.trainer.domain.rows.rendered_file import RenderedFile
from services.trainer.domain.stopping.stop_by_scores import CheckpointScores
from services.trainer.domain.training_run import TrainingRun
from services.trainer.ports import RunArchive
from services.trainer.service.admission import Admission
from services.trainer.service.run_store import RunStore
from shared.cloudevents import EventData
from shared.events import (
    DatasetReady,
    DatasetRejected,
    DatasetRendered,
    EvalDone,
    PoolChanged,
    TrainingCancelRequested,
    TrainingPauseRequested,
    TrainingRequested,
    TrainingResumeRequested,
)
from shared.store import Decision


class NotYetKnown(Exception):
    """An event refers to a run whose request has not arrived yet; a retry will find it."""


@dataclass(frozen=True)
class RunControl:
    """Each use case handles one event and is idempotent."""

    store: RunStore
    archive: RunArchive
    admission: Admission

    async def request(self, event: TrainingRequested) -> None:
        """Record a new run, and admit it if its datasets are already known."""
        if await self.store.runs.get(event.job_id) is None and not await self.restore(event.job_id):
            created_at = event.created_at or int(time.time())
            await self.store.runs.create(TrainingRun(id=event.job_id, request=event, created_at=created_at))
        await self.admission.admit(event.job_id)

    async def restore(self, job_id: str) -> bool:
        """Restore an ended run from the archive, for an empty database; False if the archive does not have it."""
        archived = await self.archive.find(job_id)
        if archived is None:
            return False
        run, curve = archived
        at = float(run.finished_at or time.time())
        for metrics in curve:
            await self.store.add_point(CurvePoint(job_id=job_id, attempt=run.attempt, metrics=metrics, at=at))
        await self.store.runs.create(run)
        return True

    async def dataset_ready(self, event: DatasetReady) -> None:
        """Admit the runs that wait for this dataset; request a run if the file itself asks for training."""
        requested: list[EventData] = []
        if event.train is not None:
            now = time.time()
            request = TrainingRequested(
                job_id=job_id_for_file(event.file_id),
                training_file=event.file_id,
                spec=event.train,
                owner=event.owner,
                created_at=int(now),
                requested_at=now,
            )
            requested.append(request)
        await self.store.datasets.create(DatasetOutcome(id=event.file_id, ready=event), requested)
        await self.admission.admit_waiting_for(event.file_id)

    async def dataset_rejected(self, event: DatasetRejected) -> None:
        """Fail the runs that wait for this dataset."""
        await self.store.datasets.create(DatasetOutcome(id=event.file_id, rejected=event))
        await self.admission.admit_waiting_for(event.file_id)

    async def dataset_rendered(self, event: DatasetRendered) -> None:
        """Admit the run whose file was rendered with its template."""
        await self.store.rendered.create(RenderedFile.of(event))
        await self.admission.admit(event.job_id)

    async def pool_changed(self, event: PoolChanged) -> None:
        """Keep what a pool's engines can take, which limits what is trained for them."""
        limits = PoolLimits.of(event)

        def decide(known: PoolLimits) -> Decision[PoolLimits] | None:
            return (limits, ()) if known.at < limits.at else None

        if not await self.store.pools.create(limits):
            await self.store.pools.change(limits.id, decide)

    async def cancel(self, event: TrainingCancelRequested) -> None:
        """Cancel a waiting run at once; a running one is stopped by its trainer."""
        now = int(time.time())

        def decide(run: TrainingRun) -> Decision[TrainingRun] | None:
            if run.ended or run.cancel_requested:
                return None
            if run.status == "running":
                return run.request_cancel(), ()
            cancelled = run.cancel(now)
            return cancelled, (cancelled.finished_event(),)

        run = await self._change(event.job_id, decide)
        # A run that ended before is archived already.
        if run.ended and await self.archive.find(run.id) is None:
            await self.archive.keep(run, await self.store.curve(run.id))

    async def pause(self, event: TrainingPauseRequested) -> None:
        """Pause a run; a running one saves its state first and then frees the machine."""
        await self._control(event.job_id, lambda run, now: run.request_pause(event.change, now))

    async def resume(self, event: TrainingResumeRequested) -> None:
        """Queue a paused run again."""
        await self._control(event.job_id, lambda run, now: run.request_resume(event.change, now))

    async def evaluated(self, event: EvalDone) -> None:
        """Record a checkpoint's scores and apply the stopping rules."""
        scores = CheckpointScores.of(event)

        def decide(run: TrainingRun) -> Decision[TrainingRun] | None:
            scored = run.add_scores(scores)
            return None if scored == run else (scored, ())

        await self._change(event.candidate.job_id, decide)

    async def _control(self, job_id: str, change: Callable[[TrainingRun, int], TrainingRun]) -> None:
        now = int(time.time())

        def decide(run: TrainingRun) -> Decision[TrainingRun] | None:
            changed = change(run, now)
            if changed == run:
                return None
            queued = changed.status == "queued" and run.status == "paused"
            return changed, (changed.queued_event(changed.control_number),) if queued else ()

        await self._change(job_id, decide)

    async def _change(self, job_id: str, decide: Callable[[TrainingRun], Decision[TrainingRun] | None]) -> TrainingRun:
        """Raises `NotYetKnown`."""
        run = await self.store.runs.change(job_id, decide)
        if run is None:
            raise NotYetKnown(f"run {job_id} is not known yet")
        return run
