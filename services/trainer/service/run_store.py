"""Runs, their curves, the checks of their datasets, and what new jobs can name, in the database."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.trainer.domain.curve.curve_point import CurvePoint, curve_of
from services.trainer.domain.engine_limits import PoolLimits
from services.trainer.domain.new_job.job_options import NamedOption, UploadedName
from services.trainer.domain.rows.dataset_outcome import DatasetOutcome
from services.trainer.domain.rows.rendered_file import RenderedFile
from services.trainer.domain.training_run import TrainingRun
from shared.cloudevents import EventData
from shared.events import TrainingMetrics
from shared.store import BaseStore, Collection

RUN_INDEXES = (
    "created_at",
    ("status", "created_at"),
    ("request.owner", "created_at"),
    ("status", "request.owner", "created_at"),
    ("status", "machine", "plan.base_model", "plan.tuning.kind", "created_at"),
)
NAME_INDEXES = (("deleted", "created_at"), ("owner", "deleted", "created_at"))


@dataclass(frozen=True)
class RunStore:
    """One collection for each kind, with the queries that several use cases make."""

    runs: Collection[TrainingRun]
    datasets: Collection[DatasetOutcome]
    points: Collection[CurvePoint]
    rendered: Collection[RenderedFile]
    pools: Collection[PoolLimits]
    names: Collection[UploadedName]
    options: Collection[NamedOption]

    @classmethod
    def of(cls, store: BaseStore) -> "RunStore":
        return cls(
            runs=store.collection("runs", TrainingRun, indexes=RUN_INDEXES),
            datasets=store.collection("datasets", DatasetOutcome, indexes=()),
            rendered=store.collection("rendered", RenderedFile, indexes=()),
            pools=store.collection("pools", PoolLimits, indexes=("base_model",)),
            points=store.collection("points", CurvePoint, indexes=(("job_id", "metrics.step"), "at")),
            names=store.collection("names", UploadedName, indexes=NAME_INDEXES),
            options=store.collection("options", NamedOption, indexes=("kind",)),
        )

    async def waiting_for(self, file_id: str) -> list[TrainingRun]:
        """Runs that are `validating_files` and need this file."""
        return [run for run in await self.runs.find(status="validating_files") if file_id in run.files.values()]

    async def unfinished(self) -> list[TrainingRun]:
        """Runs that are `queued` or `running`."""
        return await self.runs.find(status__in=["queued", "running"])

    async def newest(self, limit: int, owner: str | None) -> list[TrainingRun]:
        """The newest runs of one owner, or of all."""
        of_owner = {} if owner is None else {"request__owner": owner}
        return await self.runs.find(**of_owner, newest_first="created_at", limit=limit)

    async def add_point(self, point: CurvePoint, events: Sequence[EventData] = ()) -> None:
        """A step that is also a checkpoint is added twice, the second time with its validation metrics."""
        if not await self.points.create(point, events):
            await self.points.change(point.id, lambda known: (known.merged(point), events))

    async def curve(self, job_id: str) -> list[TrainingMetrics]:
        return curve_of(await self.points.find(job_id=job_id))
