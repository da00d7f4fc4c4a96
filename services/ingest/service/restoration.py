"""Rebuilds templates and datasets from ingest's own facts."""

import asyncio
from dataclasses import dataclass

from services.ingest.domain.dataset import Dataset
from services.ingest.domain.deleted_file import DeletedFile
from services.ingest.domain.outcome import Outcome
from services.ingest.domain.template_version import TemplateVersion, version_id
from services.ingest.ports import LookedUpFiles
from services.ingest.report import Counts, Report
from shared.events import DatasetReady, DatasetRejected, DatasetUploaded, TemplatePublished
from shared.store import Collection, Decision


@dataclass(frozen=True)
class Restoration:
    """One method for each fact; in an intact database each changes nothing.

    A file whose content is still stored is checked again for its report, but its published outcome stays. Without the
    content the dataset has the outcome alone.
    """

    templates: Collection[TemplateVersion]
    datasets: Collection[Dataset]
    outcomes: Collection[Outcome]
    deleted_files: Collection[DeletedFile]
    files: LookedUpFiles

    async def template_published(self, event: TemplatePublished) -> None:
        template = event.template
        version = TemplateVersion(
            id=version_id(event.owner, template.name, template.version),
            owner=event.owner,
            name=template.name,
            version=template.version,
            template=template,
            created_at=event.created_at,
        )
        await self.templates.create(version)

    async def ready(self, event: DatasetReady) -> None:
        if await self._is_lost(event.file_id):
            await self.outcomes.create(Outcome(id=event.file_id, ready=event))

    async def rejected(self, event: DatasetRejected) -> None:
        if await self._is_lost(event.file_id):
            await self.outcomes.create(Outcome(id=event.file_id, rejected=event))

    async def _is_lost(self, file_id: str) -> bool:
        """Whether the dataset of a file is missing although the file was not deleted."""
        return await self.datasets.get(file_id) is None and await self.deleted_files.get(file_id) is None

    async def without_content(self, upload: DatasetUploaded) -> bool:
        """Store the dataset of a file whose content is gone; False if it must be checked."""
        known = await self.outcomes.get(upload.file_id)
        if known is None or await asyncio.to_thread(self.files.contains, upload.artifact):
            return False
        if await self.deleted_files.get(upload.file_id) is None:
            await self.datasets.create(_dataset(upload, known))
        await self.outcomes.delete(upload.file_id)
        return True

    async def keep_outcome(self, upload: DatasetUploaded) -> None:
        """Put the published outcome into the dataset of a file that was checked again."""
        known = await self.outcomes.get(upload.file_id)
        if known is None:
            return

        def decide(checked: Dataset) -> Decision[Dataset] | None:
            status = "ready" if known.ready else "rejected"
            if checked.status != status:
                return _dataset(upload, known), ()
            return checked.model_copy(update={"ready": known.ready, "rejected": known.rejected}), ()

        await self.datasets.change(upload.file_id, decide)
        await self.outcomes.delete(upload.file_id)


def _dataset(upload: DatasetUploaded, known: Outcome) -> Dataset:
    """A dataset with what its fact says."""
    status = "ready" if known.ready else "rejected"
    dataset = Dataset(id=upload.file_id, upload=upload, status=status, ready=known.ready, rejected=known.rejected)
    if known.ready is not None:
        splits = known.ready.splits
        counts = Counts(
            rows=known.ready.rows + known.ready.duplicate_rows + known.ready.dropped_rows,
            train=splits.train.rows,
            validation=splits.validation.rows,
            test=splits.test.rows,
            duplicates=known.ready.duplicate_rows,
            dropped=known.ready.dropped_rows,
        )
        return dataset.model_copy(update={"report": Report(counts=counts, kind=known.ready.kind)})
    if known.rejected is not None:
        counts = Counts(rows=known.rejected.rows, dropped=known.rejected.bad_rows)
        return dataset.model_copy(update={"report": Report(counts=counts, errors=list(known.rejected.errors))})
    return dataset
