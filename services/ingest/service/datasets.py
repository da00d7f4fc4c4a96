"""Checks uploaded files and keeps what became of them."""

from dataclasses import dataclass

from services.ingest.domain.dataset import Dataset
from services.ingest.ports import PreparationRequest, PreparationResult, Preparer
from services.ingest.report import Report
from services.ingest.service.templates import Templates
from services.ingest.shapes.catalog import SHAPES
from shared.events import DatasetReady, DatasetRejected, DatasetUploaded, PromptTemplate, RowError
from shared.store import Collection


@dataclass(frozen=True)
class Datasets:
    """The use cases over data sets."""

    datasets: Collection[Dataset]
    templates: Templates
    preparer: Preparer

    async def check(self, upload: DatasetUploaded) -> None:
        """Make a data set of an uploaded file, or refuse it with its bad rows; once for each file."""
        if upload.purpose != "fine-tune" or await self.datasets.get(upload.file_id) is not None:
            return
        template = await self._template(upload)
        previous = await self._previous(upload)
        if (wrong := _wrong_option(upload, template)) is not None:
            result = PreparationResult(report=Report(errors=[wrong]))
        else:
            earlier = previous.report.index if previous is not None else None
            request = PreparationRequest(upload=upload, template=template, earlier=earlier)
            result = await self.preparer.prepare(request)
        await self._save(upload, template, result, previous)

    async def get(self, dataset_id: str) -> Dataset | None:
        return await self.datasets.get(dataset_id)

    async def newest(self, limit: int, owner: str | None, series: str | None) -> list[Dataset]:
        """The newest data sets of one owner, or of all; of one series, or of all."""
        where = {} if owner is None else {"upload__owner": owner}
        if series is not None:
            where["upload__dataset"] = series
        return await self.datasets.find(**where, newest_first="upload.created_at", limit=limit)

    async def delete(self, dataset_id: str) -> bool:
        """Remove a data set. Its artifacts are collected once nothing refers to them."""
        return await self.datasets.delete(dataset_id)

    async def _template(self, upload: DatasetUploaded) -> PromptTemplate | None:
        asked = upload.options.template
        return None if asked is None else await self.templates.find(upload.owner, asked)

    async def _previous(self, upload: DatasetUploaded) -> Dataset | None:
        if not upload.dataset:
            return None
        series = {"upload__owner": upload.owner, "upload__dataset": upload.dataset, "status": "ready"}
        found = await self.datasets.find(**series, newest_first="number", limit=1)
        return found[0] if found else None

    async def _save(
        self,
        upload: DatasetUploaded,
        template: PromptTemplate | None,
        result: PreparationResult,
        previous: Dataset | None,
    ) -> None:
        report, version = result.report, {"number": 1, "previous": None}
        if previous is not None:
            version = {"number": previous.number + 1, "previous": previous.id}
        kept = {"id": upload.file_id, "upload": upload, "report": report, **version}
        if result.splits is None:
            rejected = DatasetRejected(
                file_id=upload.file_id,
                rows=report.counts.rows,
                bad_rows=report.counts.dropped,
                errors=tuple(report.errors),
            )
            await self.datasets.create(Dataset(status="rejected", rejected=rejected, **kept), [rejected])
            return
        counts = report.counts
        ready = DatasetReady(
            file_id=upload.file_id,
            rows=counts.train + counts.validation + counts.test,
            dropped_rows=counts.dropped,
            duplicate_rows=counts.duplicates,
            splits=result.splits,
            owner=upload.owner,
            train=upload.train,
            kind=report.kind or "chat",
            version=result.version,
            template=template,
        )
        await self.datasets.create(Dataset(status="ready", ready=ready, **kept), [ready])


def _wrong_option(upload: DatasetUploaded, template: PromptTemplate | None) -> RowError | None:
    """What an upload asks for that is not there."""
    options = upload.options
    if options.shape and options.shape not in SHAPES:
        reason = f"the shape {options.shape!r} is not known"
        return RowError(line=0, field="shape", reason=reason, code="unknown_shape", fix=f"one of {', '.join(SHAPES)}")
    if options.template is not None and template is None:
        reason = f"there is no template {options.template.name!r} of this version"
        return RowError(line=0, field="template", reason=reason, code="unknown_template", fix="make it first")
    return None
