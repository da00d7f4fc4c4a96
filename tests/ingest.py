"""Ingest's use cases over a store in memory, with its real worker processes unless a test gives another preparer."""

from pathlib import Path
from typing import Any

from services.ingest.adapters.worker_process import WorkerProcess
from services.ingest.config import Settings
from services.ingest.domain.dataset import Dataset
from services.ingest.domain.deleted_file import DeletedFile
from services.ingest.domain.pool import Pool
from services.ingest.domain.rendering import Rendering
from services.ingest.domain.series_number import SeriesNumber
from services.ingest.domain.suite import Suite
from services.ingest.domain.template_version import TemplateVersion
from services.ingest.domain.unsaved_result import UnsavedResult
from services.ingest.domain.used_file import UsedFile
from services.ingest.ports import Preparer
from services.ingest.service.artifact_cleanup import ArtifactCleanup
from services.ingest.service.datasets import Datasets
from services.ingest.service.pools import Pools
from services.ingest.service.renderings import Renderings
from services.ingest.service.rows import Rows
from services.ingest.service.series import Series
from services.ingest.service.suites import Suites
from services.ingest.service.templates import Templates
from services.ingest.service.unsaved_results import UnsavedResults
from shared.artifacts import Artifacts
from shared.events import DatasetUploaded
from shared.settings import CommonSettings
from shared.store import MemoryStore


class Ingest:
    """All use cases. A second one over the store of the first is a service that was started again."""

    def __init__(self, folder: Path, preparer: Preparer | None = None, store: MemoryStore | None = None) -> None:
        common = CommonSettings(artifacts=str(folder / "artifacts"))
        self.settings = Settings(common=common, work_dir=folder, keep_ready=False)
        self.artifacts, self.store = Artifacts(common.artifacts), store or MemoryStore("ingest")
        worker = WorkerProcess(self.settings)
        self.asked = self.store.collection("renderings", Rendering)
        datasets, used = self.store.collection("datasets", Dataset), self.store.collection("used_files", UsedFile)
        self.templates = Templates(self.store.collection("templates", TemplateVersion))
        self.suites = Suites(self.store.collection("suites", Suite), self.artifacts)
        self.pools = Pools(self.store.collection("pools", Pool))
        unsaved = UnsavedResults(self.store.collection("unsaved_results", UnsavedResult), self.artifacts)
        cleanup = ArtifactCleanup(datasets, self.asked, used, unsaved, self.artifacts)
        deleted = self.store.collection("deleted_files", DeletedFile)
        self.datasets = Datasets(
            datasets=datasets,
            series=Series(datasets, self.store.collection("series_numbers", SeriesNumber)),
            templates=self.templates,
            suites=self.suites,
            pools=self.pools,
            preparer=preparer or worker,
            cleanup=cleanup,
            deleted_files=deleted,
            unsaved=unsaved,
        )
        self.renderings = Renderings(self.asked, datasets, self.templates, worker, used, unsaved)
        self.rows = Rows(self.artifacts, folder / "cache")

    def upload(self, file_id: str, content: bytes, **others: Any) -> DatasetUploaded:
        """The event of an uploaded file."""
        artifact = self.artifacts.put_bytes(content).model_dump()
        known = {"file_id": file_id, "filename": "rows.csv", "artifact": artifact, "owner": "key_1"}
        return DatasetUploaded.model_validate({**known, **others})

    async def checked(self, file_id: str, content: bytes, **others: Any) -> Dataset:
        """What became of a file."""
        await self.datasets.check(self.upload(file_id, content, **others))
        found = await self.datasets.get(file_id)
        assert found is not None
        return found
