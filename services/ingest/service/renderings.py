"""Renders the rows of a job's files with the template that the job names."""

from dataclasses import dataclass

from services.ingest.domain.dataset import Dataset
from services.ingest.domain.rendering import Rendering
from services.ingest.domain.used_file import UsedFile
from services.ingest.ports import Renderer, RenderRequest
from services.ingest.service.artifact_cleanup import artifacts_of
from services.ingest.service.templates import Templates
from services.ingest.service.unsaved_results import UnsavedResults
from shared.events import DatasetRendered, Failure, TrainingRequested
from shared.store import Collection, Decision


@dataclass(frozen=True)
class Renderings:
    """A job may be asked for before its file is checked; each of the two events renders what has become possible."""

    renderings: Collection[Rendering]
    datasets: Collection[Dataset]
    templates: Templates
    renderer: Renderer
    used: Collection[UsedFile]
    unsaved: UnsavedResults

    async def requested(self, event: TrainingRequested) -> None:
        """Note the files of a job, and render them if it names a template of its own."""
        named = (event.training_file, event.validation_file, event.spec.hyperparameters.general_file)
        for file_id in filter(None, dict.fromkeys(named)):
            await self.used.create(UsedFile(id=file_id))
        if event.spec.template is None:
            return
        for file_id in filter(None, dict.fromkeys((event.training_file, event.validation_file))):
            asked = Rendering(
                id=f"{event.job_id}/{file_id}",
                job_id=event.job_id,
                file_id=file_id,
                owner=event.owner,
                template=event.spec.template,
            )
            await self.renderings.create(asked)
            await self._render(asked)

    async def file_checked(self, file_id: str) -> None:
        """Render a file for the jobs that wait for its check."""
        for asked in await self.renderings.find(file_id=file_id):
            await self._render(asked)

    async def file_deleted(self, file_id: str) -> None:
        """End the jobs that wait for the check of a file that is gone."""
        failure = Failure(code="file_deleted", message=f"the file {file_id} was deleted before its rows were rendered")
        for asked in await self.renderings.find(file_id=file_id):
            await self._finish(asked, DatasetRendered(job_id=asked.job_id, file_id=file_id, error=failure))
            await self.unsaved.saved(asked.id)

    async def _render(self, asked: Rendering) -> None:
        known = await self.renderings.get(asked.id)
        dataset = await self.datasets.get(asked.file_id)
        # The jobs of a file that was refused fail by that.
        if known is None or dataset is None or dataset.ready is None:
            return
        if known.done is None:
            await self._finish(asked, await self._rendered(asked, dataset))
        await self.unsaved.saved(asked.id)

    async def _finish(self, asked: Rendering, done: DatasetRendered) -> None:
        def decide(current: Rendering) -> Decision[Rendering] | None:
            return None if current.done is not None else (current.model_copy(update={"done": done}), [done])

        await self.renderings.change(asked.id, decide)

    async def _rendered(self, asked: Rendering, dataset: Dataset) -> DatasetRendered:
        template = await self.templates.find(asked.owner, asked.template)
        report, event = dataset.report, DatasetRendered(job_id=asked.job_id, file_id=asked.file_id)
        if template is None:
            reason = f"there is no template {asked.template.name!r} of this version"
            return event.model_copy(update={"error": Failure(code="unknown_template", message=reason)})
        if report.kind != "chat" or report.rows is None or report.index is None:
            reason = f"prompt templates apply to conversations only; these rows are of the kind {report.kind}"
            return event.model_copy(update={"error": Failure(code="template_for_other_kind", message=reason)})
        request = RenderRequest(rows=report.rows, fields=report.fields, index=report.index, template=template)
        result = await self.unsaved.made(
            asked.id, lambda: self.renderer.render(request), lambda result: artifacts_of(result.splits)
        )
        return event.model_copy(update={"template": template, "splits": result.splits, "error": result.error})
