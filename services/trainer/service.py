"""The use cases around a run: request it, give it its data, cancel it, look at it."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from services.trainer.domain.names import job_id_for_file, model_name
from services.trainer.domain.plan import PlanRefused, plan_training
from services.trainer.domain.run import Run, RunData
from services.trainer.ports import Archive, BaseModels, CurvePoint, DatasetView, Decision, RunStore, UnknownBaseModel
from shared.cloudevents import EventData
from shared.events import (
    DatasetReady,
    DatasetRejected,
    Failure,
    TrainingCancelRequested,
    TrainingMetrics,
    TrainingQueued,
    TrainingRequested,
)

_NAMED_LINES = 5
_LOOK_EVERY_S = 1.0


class NotYetKnown(Exception):
    """An event is about a run whose request has not arrived yet: it will."""


@dataclass(frozen=True)
class Runs:
    """The use cases over runs that need no training process."""

    store: RunStore
    archive: Archive
    base_models: BaseModels
    organization: str

    async def request(self, event: TrainingRequested) -> None:
        """Record a run, once; it is queued as soon as its data is there, or failed if its data was refused."""
        if await self.store.get(event.job_id) is None and not await self.restore(event.job_id):
            await self.store.create(
                Run(id=event.job_id, request=event, created_at=event.created_at or int(time.time()))
            )
        await self._settle(event.job_id)

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
        await self._settle_waiting(event.file_id)

    async def dataset_rejected(self, event: DatasetRejected) -> None:
        """Fail the runs that wait for this dataset."""
        await self.store.add_dataset(DatasetView(id=event.file_id, rejected=event))
        await self._settle_waiting(event.file_id)

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

    async def _settle_waiting(self, file_id: str) -> None:
        for run in await self.store.waiting_for(file_id):
            await self._settle(run.id)

    async def _settle(self, job_id: str) -> None:
        """Queue or fail a run once what it waits for is known; a run that waits no more stays as it is."""
        run = await self.store.get(job_id)
        if run is None or run.status != "validating_files":
            return
        views = [await self.store.dataset(file_id) for file_id in _files(run.request)]
        if refused := next((view.rejected for view in views if view and view.rejected), None):
            await self._fail(job_id, _refusal(refused))
            return
        ready = [view.ready for view in views if view and view.ready]
        if len(ready) == len(views):
            await self._queue(run, ready)

    async def _queue(self, run: Run, datasets: list[DatasetReady]) -> None:
        spec, splits = run.request.spec, datasets[0].splits
        # A file of its own for validation serves with its largest part.
        validation = datasets[1].splits.train if len(datasets) > 1 else splits.validation
        data = RunData(train=splits.train, validation=validation if validation.rows else None, test=splits.test)
        name = model_name(spec.base_model, self.organization, spec.suffix, run.id)
        try:
            base = await self.base_models.find(spec.base_model)
            plan = plan_training(run.id, spec, name, splits.train.rows, base.hidden_size)
        except UnknownBaseModel as error:
            await self._fail(run.id, Failure(code="model_not_found", message=str(error), param="model"))
            return
        except PlanRefused as error:
            await self._fail(run.id, Failure(code=error.code, message=str(error), param=error.param))
            return

        def decide(current: Run) -> Decision | None:
            if current.status != "validating_files":
                return None
            return current.queue(plan, data), (TrainingQueued(job_id=run.id),)

        await self.store.change(run.id, decide)

    async def _fail(self, job_id: str, error: Failure) -> None:
        now = int(time.time())

        def decide(run: Run) -> Decision | None:
            if run.ended:
                return None
            failed = run.fail(error, now)
            return failed, (failed.finished_event(),)

        await self.store.change(job_id, decide)


def _files(request: TrainingRequested) -> list[str]:
    return [file_id for file_id in (request.training_file, request.validation_file) if file_id]


def _refusal(refused: DatasetRejected) -> Failure:
    named = "; ".join(f"line {e.line}: {e.field}: {e.reason}" for e in refused.errors[:_NAMED_LINES])
    more = refused.bad_rows - min(len(refused.errors), _NAMED_LINES)
    tail = f"; and {more} more" if more > 0 else ""
    message = f"{refused.bad_rows} of {refused.rows} lines of {refused.file_id} are bad: {named}{tail}"
    return Failure(code="invalid_training_file", message=message, param="training_file")
