"""Checks uploaded files and keeps what became of them."""

from dataclasses import dataclass
from typing import Any

from services.ingest.domain.dataset import Dataset
from services.ingest.domain.deleted_file import DeletedFile
from services.ingest.ports import PreparationRequest, PreparationResult, Preparer, SuiteToCompare
from services.ingest.report import Report
from services.ingest.service.artifact_cleanup import ArtifactCleanup, artifacts_of, own_artifacts
from services.ingest.service.pools import Pools
from services.ingest.service.series import Series, following
from services.ingest.service.suites import Suites
from services.ingest.service.templates import Templates
from services.ingest.service.unsaved_results import UnsavedResults
from services.ingest.shapes.catalog import SHAPES
from shared.events import (
    DatasetReady,
    DatasetRejected,
    DatasetUploaded,
    FileDeleted,
    PromptTemplate,
    RowError,
    Splits,
    SuiteOverlap,
)
from shared.store import Collection, Cursor, Page

# How often a file is checked again because its series has a newer version by now.
_ROUNDS = 3


@dataclass(frozen=True)
class Datasets:
    """The use cases over datasets."""

    datasets: Collection[Dataset]
    series: Series
    templates: Templates
    suites: Suites
    pools: Pools
    preparer: Preparer
    cleanup: ArtifactCleanup
    deleted_files: Collection[DeletedFile]
    unsaved: UnsavedResults

    async def check(self, upload: DatasetUploaded) -> None:
        """Make a dataset of an uploaded file, or refuse it with its bad rows; once for each file."""
        if upload.purpose != "fine-tune":
            return
        template = await self._template(upload)
        rounds = 0
        while await self.datasets.get(upload.file_id) is None:
            rounds += 1
            previous = await self.series.newest(upload)
            result = await self._prepared(upload, template, previous)
            # A refused file takes no number from the next version.
            number = following(previous)
            if result.splits is not None:
                # Checked again when another process has made a newer version meanwhile, to compare with that; but not
                # for ever, where small files come faster than a large one is checked.
                number = await self.series.claim(upload, previous, if_newest=rounds < _ROUNDS)
            if number is not None:
                await self._save(upload, template, result, number, previous)
                break
        await self.unsaved.saved(upload.file_id)
        if await self.deleted_files.get(upload.file_id) is not None:
            await self.delete(upload.file_id)

    async def get(self, dataset_id: str) -> Dataset | None:
        return await self.datasets.get(dataset_id)

    async def newest(self, limit: int, owner: str | None, series: str | None) -> list[Dataset]:
        """The newest datasets of one owner, or of all; of one series, or of all."""
        where = {} if owner is None else {"upload__owner": owner}
        if series is not None:
            where["upload__dataset"] = series
        return await self.datasets.find(**where, newest_first="upload.created_at", limit=limit)

    async def page(self, cursor: Cursor, owner: str | None, status: str = "", series: str = "") -> Page[Dataset]:
        """A page of the datasets of one owner, or of all, the newest first; of one status or series if asked for."""
        where: dict[str, Any] = {} if owner is None else {"upload__owner": owner}
        if status:
            where["status"] = status
        if series:
            where["upload__dataset"] = series
        return await self.datasets.page(cursor, by="upload.created_at", **where)

    async def using(self, owner: str, template: str, limit: int) -> list[Dataset]:
        """The newest datasets that were rendered with any version of a template."""
        where: dict[str, Any] = {"upload__owner": owner, "ready__template__name": template}
        return await self.datasets.find(**where, newest_first="upload.created_at", limit=limit)

    async def delete(self, dataset_id: str) -> bool:
        """Delete a dataset with its artifacts; the splits stay if a job named the file."""
        found = await self.datasets.get(dataset_id)
        if found is None or not await self.datasets.delete(dataset_id):
            return False
        await self.series.release(found)
        await self.cleanup.after(found)
        return True

    async def file_deleted(self, event: FileDeleted) -> None:
        """Delete the dataset of a file that was deleted, now or once its check has ended."""
        await self.deleted_files.create(DeletedFile(id=event.file_id))
        await self.delete(event.file_id)
        # Of a check that was interrupted, and fails when it is repeated.
        await self.unsaved.saved(event.file_id)

    async def _template(self, upload: DatasetUploaded) -> PromptTemplate | None:
        asked = upload.options.template
        return None if asked is None else await self.templates.find(upload.owner, asked)

    async def _prepared(
        self, upload: DatasetUploaded, template: PromptTemplate | None, previous: Dataset | None
    ) -> PreparationResult:
        if (wrong := _wrong_option(upload, template)) is not None:
            return PreparationResult(report=Report(errors=[wrong]))
        suites = [
            SuiteToCompare(name=one.id, revision=one.number, questions=one.questions)
            for one in await self.suites.compared_with(upload.owner)
            if one.questions is not None
        ]
        request = PreparationRequest(
            upload=upload,
            template=template,
            earlier=previous.report.index if previous is not None else None,
            suites=suites,
            contexts=await self.pools.contexts(),
        )
        return await self.unsaved.made(
            upload.file_id,
            lambda: self.preparer.prepare(request),
            lambda result: [*own_artifacts(result.report), *artifacts_of(result.splits)],
        )

    async def _save(
        self,
        upload: DatasetUploaded,
        template: PromptTemplate | None,
        result: PreparationResult,
        number: int,
        previous: Dataset | None,
    ) -> None:
        dataset = Dataset(id=upload.file_id, upload=upload, status="rejected", report=result.report, number=number)
        if previous is not None:
            dataset.previous = previous.id
        if result.splits is None:
            dataset.rejected = _rejected(upload, result.report)
            await self.datasets.create(dataset, [dataset.rejected])
            return
        dataset.status = "ready"
        dataset.ready = _ready(upload, template, result.report, result.splits, result.version)
        await self.datasets.create(dataset, [dataset.ready])


def _rejected(upload: DatasetUploaded, report: Report) -> DatasetRejected:
    return DatasetRejected(
        file_id=upload.file_id,
        rows=report.counts.rows,
        bad_rows=report.counts.dropped,
        errors=tuple(report.errors),
    )


def _ready(
    upload: DatasetUploaded, template: PromptTemplate | None, report: Report, splits: Splits, version: str
) -> DatasetReady:
    counts, lengths = report.counts, report.lengths
    return DatasetReady(
        file_id=upload.file_id,
        rows=counts.train + counts.validation + counts.test,
        dropped_rows=counts.dropped,
        duplicate_rows=counts.duplicates,
        splits=splits,
        owner=upload.owner,
        train=upload.train,
        kind=report.kind or "chat",
        version=version,
        template=template,
        tokenizer=lengths.tokenizer if lengths is not None and not lengths.estimated else "",
        longest_row_tokens=lengths.longest_text if lengths is not None else None,
        advice=tuple(one.text for one in report.advice if one.warns),
        suites=tuple(
            SuiteOverlap(suite=one.suite, revision=one.revision, questions=one.seen, rows=one.rows)
            for one in report.suites
            if one.rows
        ),
    )


def _wrong_option(upload: DatasetUploaded, template: PromptTemplate | None) -> RowError | None:
    """What an upload asks for that is not there."""
    options = upload.options
    if options.shape and options.shape not in SHAPES:
        reason = f"the shape {options.shape!r} is not known"
        return RowError(line=0, field="shape", reason=reason, code="unknown_shape", fix=f"one of {', '.join(SHAPES)}")
    if options.template is not None and template is None:
        reason = f"there is no template {options.template.name!r} of this version"
        return RowError(
            line=0, field="template", reason=reason, code="unknown_template", fix="create it first: POST /v1/templates"
        )
    return None
