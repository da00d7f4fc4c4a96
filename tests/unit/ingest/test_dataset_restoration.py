"""Ingest's own facts restore what is lost, and nothing that was deleted; over a store in memory."""

from pathlib import Path

from services.ingest.domain.outcome import Outcome
from services.ingest.service.restoration import Restoration
from shared.events import DatasetRejected, FileDeleted
from tests.ingest import Ingest

FACT = DatasetRejected(file_id="file-1", rows=0, bad_rows=0, errors=())


def restoration_of(service: Ingest) -> Restoration:
    outcomes = service.store.collection("outcomes", Outcome)
    datasets, templates = service.datasets, service.templates
    return Restoration(templates.versions, datasets.datasets, outcomes, datasets.deleted_files, service.artifacts)


async def test_the_outcome_of_a_lost_dataset_is_kept_until_its_file_arrives(tmp_path: Path) -> None:
    restoration = restoration_of(Ingest(tmp_path))
    await restoration.rejected(FACT)
    assert await restoration.outcomes.get("file-1") is not None


async def test_no_outcome_is_kept_for_a_file_that_was_deleted_before_its_fact_was_handled(tmp_path: Path) -> None:
    service = Ingest(tmp_path)
    restoration = restoration_of(service)
    await service.datasets.file_deleted(FileDeleted(file_id="file-1", owner="key_1", author="key_1", at=1))
    await restoration.rejected(FACT)
    assert await restoration.outcomes.get("file-1") is None
