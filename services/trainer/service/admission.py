"""When all that a run needs is known it is planned and waits for a trainer, or it fails and says why."""

import time
from dataclasses import dataclass

from services.trainer.domain.errors import PlanRefused
from services.trainer.domain.incremental import start_from
from services.trainer.domain.names import model_name
from services.trainer.domain.plan import Room, plan_training
from services.trainer.domain.run import Run, RunData
from services.trainer.ports import Archive, BaseModels, Decision, RunStore, UnknownBaseModel
from shared.events import DatasetReady, DatasetRejected, Failure, TrainingQueued

_NAMED_LINES = 5
# Of JSON and text together; a row's tokens are not counted before it is trained on.
_BYTES_PER_TOKEN = 4


@dataclass(frozen=True)
class Admission:
    """Decides over runs that wait for their data."""

    store: RunStore
    archive: Archive
    base_models: BaseModels
    organization: str
    memory_bytes: int
    """What a job here can use."""

    async def settle_waiting_for(self, file_id: str) -> None:
        for run in await self.store.waiting_for(file_id):
            await self.settle(run.id)

    async def settle(self, job_id: str) -> None:
        """Queue or fail a run once what it waits for is known; a run that waits no more stays as it is."""
        run = await self.store.get(job_id)
        if run is None or run.status != "validating_files":
            return
        views = {use: await self.store.dataset(file_id) for use, file_id in run.files.items()}
        refused = next(((use, view.rejected) for use, view in views.items() if view and view.rejected), None)
        if refused is not None:
            await self._fail(job_id, _refusal(*refused))
            return
        ready = {use: view.ready for use, view in views.items() if view and view.ready}
        if len(ready) == len(views):
            await self._admit(run, ready)

    async def _admit(self, run: Run, datasets: dict[str, DatasetReady]) -> None:
        try:
            queued = await self._planned(run, datasets)
        except UnknownBaseModel as error:
            await self._fail(run.id, Failure(code="model_not_found", message=str(error), param="model"))
            return
        except PlanRefused as error:
            await self._fail(run.id, Failure(code=error.code, message=str(error), param=error.param))
            return

        def decide(current: Run) -> Decision | None:
            if current.status != "validating_files":
                return None
            assert queued.plan is not None
            assert queued.data is not None
            admitted = current.queue(queued.plan, queued.data)
            return admitted, (TrainingQueued(job_id=run.id),) if admitted.status == "queued" else ()

        await self.store.change(run.id, decide)

    async def _planned(self, run: Run, datasets: dict[str, DatasetReady]) -> Run:
        """The run with its plan and its data; raises `UnknownBaseModel` or `PlanRefused`."""
        spec = run.request.spec
        name = model_name(spec.base_model, self.organization, spec.suffix, run.id)
        base = await self.base_models.find(spec.base_model)
        start, tuning = None, None
        if spec.hyperparameters.start_job is not None:
            start, tuning = start_from(await self._known(spec.hyperparameters.start_job), run.request)
        data = _data(run, datasets).model_copy(update={"start": start})
        rows = data.train.rows
        tokens = data.train.artifact.bytes / _BYTES_PER_TOKEN / max(1, rows)
        room = Room(memory_bytes=self.memory_bytes, row_tokens=max(1.0, tokens))
        return run.queue(plan_training(run.id, spec, name, rows, base, tuning, room), data)

    async def _known(self, job_id: str) -> Run | None:
        """A run, also one that ended before this database was made."""
        kept = None if (run := await self.store.get(job_id)) else await self.archive.find(job_id)
        return kept[0] if kept is not None else run

    async def _fail(self, job_id: str, error: Failure) -> None:
        now = int(time.time())

        def decide(run: Run) -> Decision | None:
            if run.ended:
                return None
            failed = run.fail(error, now)
            return failed, (failed.finished_event(),)

        await self.store.change(job_id, decide)


def _data(run: Run, datasets: dict[str, DatasetReady]) -> RunData:
    """The splits that it reads: files beside its own, for validation and of general rows, serve with their largest."""
    splits, beside = datasets["training_file"].splits, datasets.get("validation_file")
    validation = beside.splits.train if beside else splits.validation
    general = datasets.get("general_file")
    # A dataset of somebody else is one that is not there.
    if general is not None and (general.owner != run.request.owner or not general.splits.train.rows):
        message = f"there are no rows in a dataset {general.file_id!r} to mix in"
        raise PlanRefused("general_file_not_found", message, "general_file")
    return RunData(
        train=splits.train,
        validation=validation if validation.rows else None,
        test=splits.test,
        general=general.splits.train if general else None,
    )


def _refusal(use: str, refused: DatasetRejected) -> Failure:
    named = "; ".join(f"line {e.line}: {e.field}: {e.reason}" for e in refused.errors[:_NAMED_LINES])
    more = refused.bad_rows - min(len(refused.errors), _NAMED_LINES)
    tail = f"; and {more} more" if more > 0 else ""
    message = f"{refused.bad_rows} of {refused.rows} lines of {refused.file_id} are bad: {named}{tail}"
    return Failure(code=f"invalid_{use}", message=message, param=use)
