"""Deletes the artifacts of a dataset that nothing else refers to."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from services.ingest.domain.dataset import Dataset
from services.ingest.domain.rendering import Rendering
from services.ingest.domain.used_file import UsedFile
from services.ingest.report import Report
from services.ingest.service.unsaved_results import UnsavedResults
from shared.events import Artifact, Splits
from shared.set_aside import DeletableFiles, delete_unneeded
from shared.store import Collection

_REPORT = ("rows", "fields", "index", "findings")
_SPLITS = ("train", "validation", "test")
ARTIFACTS_OF_DATASETS = (
    "upload.artifact",
    *(f"report.{name}" for name in _REPORT),
    *(f"ready.splits.{name}.artifact" for name in _SPLITS),
)
ARTIFACTS_OF_RENDERINGS = tuple(f"done.splits.{name}.artifact" for name in _SPLITS)


@dataclass(frozen=True)
class ArtifactCleanup:
    """Equal content is stored once, so another dataset, or an uploaded file, may need it."""

    datasets: Collection[Dataset]
    renderings: Collection[Rendering]
    used: Collection[UsedFile]
    unsaved: UnsavedResults
    files: DeletableFiles

    async def after(self, deleted: Dataset) -> None:
        """Delete what only this dataset, which is deleted already, referred to."""
        found = own_artifacts(deleted.report)
        if deleted.ready is not None and await self.used.get(deleted.id) is None:
            found += artifacts_of(deleted.ready.splits)
        # The gateway owns the uploaded file, which may have the same content as its rows.
        kept = {deleted.upload.artifact.sha256}
        for artifact in {one.sha256: one for one in found if one.bytes and one.sha256 not in kept}.values():
            await delete_unneeded(self.files, artifact, self._needed)

    async def _needed(self, artifact: Artifact) -> bool:
        # Unsaved results first: one is removed only after the dataset or rendering that has it was saved.
        if await self.unsaved.include(artifact) or await _any(self.datasets, ARTIFACTS_OF_DATASETS, artifact):
            return True
        return await _any(self.renderings, ARTIFACTS_OF_RENDERINGS, artifact)


async def _any(collection: Collection[Any], fields: Iterable[str], artifact: Artifact) -> bool:
    for field in fields:
        if await collection.find(**{f"{field.replace('.', '__')}__sha256": artifact.sha256}, limit=1):
            return True
    return False


def own_artifacts(report: Report) -> list[Artifact]:
    """What ingest alone reads."""
    found = [getattr(report, name) for name in _REPORT]
    return [artifact for artifact in found if artifact is not None]


def artifacts_of(splits: Splits | None) -> list[Artifact]:
    return [] if splits is None else [splits.train.artifact, splits.validation.artifact, splits.test.artifact]
