"""Runs, their curves and what is known of datasets, in MongoDB."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from services.trainer.domain.run import Run
from services.trainer.ports import CurvePoint, DatasetView, Decision
from shared.cloudevents import EventData
from shared.events import TrainingMetrics
from shared.store import Collection, Entity


class RunDocument(Run, Entity):
    """A run, keyed by its job's id."""


class DatasetDocument(DatasetView, Entity):
    """What is known of a dataset, keyed by its file's id."""


class PointDocument(CurvePoint, Entity):
    """One step, keyed by job, attempt and step; apart from its run, which stays small however long the job."""


@dataclass(frozen=True)
class MongoRunStore:
    """One collection for each kind."""

    runs: Collection[RunDocument]
    datasets: Collection[DatasetDocument]
    points: Collection[PointDocument]

    async def get(self, job_id: str) -> Run | None:
        return await self.runs.get(job_id)

    async def create(self, run: Run, events: Sequence[EventData] = ()) -> bool:
        return await self.runs.create(_document(run), events)

    async def change(self, job_id: str, decide: Callable[[Run], Decision | None]) -> Run | None:
        def decide_document(run: RunDocument) -> tuple[RunDocument, Sequence[EventData]] | None:
            decision = decide(run)
            return None if decision is None else (_document(decision[0]), decision[1])

        return await self.runs.change(job_id, decide_document)

    async def waiting_for(self, file_id: str) -> list[Run]:
        waiting = await self.runs.find(status="validating_files")
        named = [run for run in waiting if file_id in run.files.values()]
        return cast(list[Run], named)

    async def unfinished(self) -> list[Run]:
        queued, running = [await self.runs.find(status=status) for status in ("queued", "running")]
        return cast(list[Run], queued + running)

    async def newest(self, limit: int, owner: str | None) -> list[Run]:
        where = {} if owner is None else {"request__owner": owner}
        return cast(list[Run], await self.runs.find(**where, newest_first="created_at", limit=limit))

    async def dataset(self, file_id: str) -> DatasetView | None:
        return await self.datasets.get(file_id)

    async def add_dataset(self, view: DatasetView, events: Sequence[EventData] = ()) -> bool:
        return await self.datasets.create(DatasetDocument.model_validate(view.model_dump()), events)

    async def add_point(self, point: CurvePoint, events: Sequence[EventData] = ()) -> bool:
        key = f"{point.job_id}/{point.attempt}/{point.metrics.step}"
        document = PointDocument.model_validate({**point.model_dump(), "id": key})
        if await self.points.create(document, events):
            return True
        # The same step again: its checkpoint adds what validation found.
        await self.points.change(key, lambda known: (_merged(known, point), events))
        return False

    async def curve(self, job_id: str) -> list[TrainingMetrics]:
        points = sorted(await self.points.find(job_id=job_id), key=lambda point: point.attempt)
        by_step = {point.metrics.step: point.metrics for point in points}
        return [by_step[step] for step in sorted(by_step)]


def _document(run: Run) -> RunDocument:
    return RunDocument.model_validate(run.model_dump())


def _merged(known: PointDocument, point: CurvePoint) -> PointDocument:
    found = point.metrics.model_dump(exclude_none=True)
    return known.model_copy(update={"metrics": known.metrics.model_copy(update=found)})
