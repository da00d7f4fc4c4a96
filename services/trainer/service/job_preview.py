"""Shows what a job would do before it is started."""

from dataclasses import dataclass

from services.trainer.domain.errors import PlanRefused
from services.trainer.domain.new_job.training_time import TimeEstimate, estimate_time
from services.trainer.domain.rows.run_data import RunData
from services.trainer.domain.training_plan import TrainingPlan
from services.trainer.domain.training_run import TrainingRun
from services.trainer.ports import UnknownBaseModel
from services.trainer.service.admission import Admission
from services.trainer.service.run_store import RunStore
from shared.events import DatasetReady, TrainingRequested, TrainingSpec
from shared.security import Key

_MEASURED_RUNS = 10


@dataclass(frozen=True)
class Preview:
    """The plan of a job, its data, and how long it would take; `waiting` jobs train or wait before it."""

    plan: TrainingPlan
    data: RunData
    dataset: DatasetReady
    estimate: TimeEstimate | None
    waiting: int


@dataclass(frozen=True)
class JobPreview:
    """Plans a job as its admission will; `machine` is this trainer's, on which earlier runs were measured."""

    store: RunStore
    admission: Admission
    machine: str

    async def of(self, training_file: str, spec: TrainingSpec, key: Key) -> Preview:
        """Raises `PlanRefused`."""
        asked = TrainingRequested(job_id="preview", training_file=training_file, spec=spec, owner=key.person)
        run = TrainingRun(id=asked.job_id, request=asked)
        datasets = {use: await self._dataset(file_id, use, key) for use, file_id in run.files.items()}
        try:
            planned = await self.admission.planned(run, datasets)
        except UnknownBaseModel as error:
            raise PlanRefused("model_not_found", str(error), "model") from None
        assert planned.plan is not None
        assert planned.data is not None
        return Preview(
            plan=planned.plan,
            data=planned.data,
            dataset=datasets["training_file"],
            estimate=estimate_time(planned.plan, planned.data, await self._earlier(planned.plan)),
            waiting=len(await self.store.unfinished()),
        )

    async def _dataset(self, file_id: str, use: str, key: Key) -> DatasetReady:
        check = await self.store.datasets.get(file_id)
        if check is None or check.ready is None or not key.owns(check.ready.owner):
            raise PlanRefused("dataset_not_found", f"you have no checked dataset {file_id}", use)
        return check.ready

    async def _earlier(self, plan: TrainingPlan) -> list[TrainingRun]:
        """The newest runs of the same base model and method on this machine."""
        return await self.store.runs.find(
            status="succeeded",
            machine=self.machine,
            plan__base_model=plan.base_model,
            plan__tuning__kind=plan.tuning.kind,
            newest_first="created_at",
            limit=_MEASURED_RUNS,
        )
