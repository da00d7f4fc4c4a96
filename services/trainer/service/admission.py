"""Admission: once all datasets of a run are checked, the run is planned and queued, or it fails with a reason."""

import time
from dataclasses import dataclass

from services.trainer.domain.auto_hyperparameters import MemoryBudget
from services.trainer.domain.engine_limits import engine_limits
from services.trainer.domain.errors import PlanRefused
from services.trainer.domain.model_names import model_name
from services.trainer.domain.rows.refusals import refuse_high_rank, refuse_long_rows, refuse_suite_questions
from services.trainer.domain.rows.rendered_file import RenderedFile
from services.trainer.domain.rows.run_data import RunData
from services.trainer.domain.training_plan import plan_training
from services.trainer.domain.training_run import TrainingRun
from services.trainer.domain.warm_start import warm_start
from services.trainer.ports import BaseModels, RunArchive, UnknownBaseModel
from services.trainer.service.run_store import RunStore
from shared.events import DatasetReady, DatasetRejected, Failure
from shared.prompts import with_decoding
from shared.store import Decision

_NAMED_LINES = 5
# Bytes of JSON per token, an estimate: tokens are counted only when training starts.
_BYTES_PER_TOKEN = 4


@dataclass(frozen=True)
class Admission:
    """Admits runs that wait for their datasets."""

    store: RunStore
    archive: RunArchive
    base_models: BaseModels
    organization: str
    memory_bytes: int
    """Memory that one job can use."""

    async def admit_waiting_for(self, file_id: str) -> None:
        for run in await self.store.waiting_for(file_id):
            await self.admit(run.id)

    async def admit(self, job_id: str) -> None:
        """Queue or fail a run that waits for its datasets, if all of them are known."""
        run = await self.store.runs.get(job_id)
        if run is None or run.status != "validating_files":
            return
        views = {use: await self.store.datasets.get(file_id) for use, file_id in run.files.items()}
        rejected = next(((use, view.rejected) for use, view in views.items() if view and view.rejected), None)
        if rejected is not None:
            await self._fail(job_id, _rejection(*rejected))
            return
        ready = {use: view.ready for use, view in views.items() if view and view.ready}
        rendered = {use: await self._rendered(run, file_id) for use, file_id in _files_to_render(run).items()}
        if len(ready) == len(views) and None not in rendered.values():
            await self._queue(run, ready, {use: file for use, file in rendered.items() if file is not None})

    async def _rendered(self, run: TrainingRun, file_id: str) -> RenderedFile | None:
        return await self.store.rendered.get(f"{run.id}/{file_id}")

    async def _queue(
        self, run: TrainingRun, datasets: dict[str, DatasetReady], rendered: dict[str, RenderedFile]
    ) -> None:
        try:
            asked = {use: file.in_place_of(datasets[use], use) for use, file in rendered.items()}
            queued = await self.planned(run, {**datasets, **asked})
        except UnknownBaseModel as error:
            await self._fail(run.id, Failure(code="model_not_found", message=str(error), param="model"))
            return
        except PlanRefused as error:
            await self._fail(run.id, Failure(code=error.code, message=str(error), param=error.param))
            return

        def decide(current: TrainingRun) -> Decision[TrainingRun] | None:
            if current.status != "validating_files":
                return None
            assert queued.plan is not None
            assert queued.data is not None
            admitted = current.queue(queued.plan, queued.data)
            return admitted, (admitted.queued_event(),) if admitted.status == "queued" else ()

        await self.store.runs.change(run.id, decide)

    async def planned(self, run: TrainingRun, datasets: dict[str, DatasetReady]) -> TrainingRun:
        """The run with plan and data; raises `UnknownBaseModel` or `PlanRefused`."""
        spec = run.request.spec
        name = model_name(spec.base_model, self.organization, spec.suffix, run.id)
        base = await self.base_models.find(spec.base_model)
        limits = engine_limits(await self.store.pools.find(base_model=spec.base_model), spec.base_model)
        start, tuning = None, None
        if spec.hyperparameters.start_job is not None:
            start, tuning = warm_start(await self._find(spec.hyperparameters.start_job), run.request)
        data = _data(run, datasets).model_copy(update={"start": start})
        rows = data.train.rows
        tokens = data.train.artifact.bytes / _BYTES_PER_TOKEN / max(1, rows)
        budget = MemoryBudget(memory_bytes=self.memory_bytes, row_tokens=max(1.0, tokens))
        validation_rows = data.validation.rows if data.validation else 0
        served = base.model_copy(update={"engine_context": limits.context})
        plan = plan_training(run.id, spec, name, rows, served, tuning, budget, validation_rows)
        refuse_high_rank(plan.tuning, limits)
        refuse_long_rows(datasets["training_file"], spec.base_model, plan.max_length)
        return run.queue(plan, data)

    async def _find(self, job_id: str) -> TrainingRun | None:
        """A run from the database or the archive."""
        archived = None if (run := await self.store.runs.get(job_id)) else await self.archive.find(job_id)
        return archived[0] if archived is not None else run

    async def _fail(self, job_id: str, error: Failure) -> None:
        now = int(time.time())

        def decide(run: TrainingRun) -> Decision[TrainingRun] | None:
            # It was cancelled, or another event queued it meanwhile.
            if run.status != "validating_files":
                return None
            failed = run.fail(error, now)
            return failed, (failed.finished_event(),)

        await self.store.runs.change(job_id, decide)


def _files_to_render(run: TrainingRun) -> dict[str, str]:
    """The files that ingest renders with the job's own template, by use; none where it names no template."""
    named = run.request.spec.template is not None
    return {use: file_id for use, file_id in run.files.items() if named and use != "general_file"}


def _data(run: TrainingRun, datasets: dict[str, DatasetReady]) -> RunData:
    """The splits that a run reads; of a validation file and of a general file it reads the largest split."""
    for use, dataset in datasets.items():
        if dataset.kind in ("preference", "unpaired"):
            message = (
                f"{dataset.file_id} has preferences, which cannot be used for training yet; use a file of conversations"
            )
            raise PlanRefused("unsupported_rows", message, use)
    if not run.request.spec.allow_contaminated:
        refuse_suite_questions(datasets["training_file"])
    splits, validation_file = datasets["training_file"].splits, datasets.get("validation_file")
    validation = validation_file.splits.train if validation_file else splits.validation
    general = datasets.get("general_file")
    # Datasets of other owners are treated as unknown.
    if general is not None and (general.owner != run.request.owner or not general.splits.train.rows):
        message = f"the dataset {general.file_id!r} has no rows to mix in"
        raise PlanRefused("general_file_not_found", message, "general_file")
    return RunData(
        template=with_decoding(datasets["training_file"].template, run.request.spec.decoding),
        train=splits.train,
        validation=validation if validation.rows else None,
        test=splits.test,
        general=general.splits.train if general else None,
    )


def _rejection(use: str, rejected: DatasetRejected) -> Failure:
    named = "; ".join(f"line {e.line}: {e.field}: {e.reason}" for e in rejected.errors[:_NAMED_LINES])
    more = rejected.bad_rows - min(len(rejected.errors), _NAMED_LINES)
    tail = f"; and {more} more" if more > 0 else ""
    message = f"{rejected.bad_rows} of {rejected.rows} lines of {rejected.file_id} are bad: {named}{tail}"
    return Failure(code=f"invalid_{use}", message=message, param=use)
