"""What a check or a rendering has stored and did not save is named until it ends, and no longer."""

from pathlib import Path

import pytest

from services.ingest.domain.unsaved_result import UnsavedResult
from shared.events import FileDeleted, PromptTemplate, TemplateRef, TrainingRequested, TrainingSpec
from tests.ingest import Ingest
from tests.prepared import filler, jsonl


@pytest.mark.parametrize("next_event", ["the same again", "the file is deleted"])
async def test_what_an_interrupted_rendering_stored_is_not_kept_for_ever(tmp_path: Path, next_event: str) -> None:
    service = Ingest(tmp_path)
    await service.templates.publish("key_1", PromptTemplate(name="support", version=1, system="Be brief."), None)
    await service.checked("file-1", jsonl(filler(40)))
    spec = TrainingSpec(base_model="base", template=TemplateRef(name="support", version=1))
    event = TrainingRequested(job_id="job", training_file="file-1", spec=spec, owner="key_1")
    await service.renderings.requested(event)
    unsaved = service.renderings.unsaved
    # Its process was killed after the rendering was saved.
    await unsaved.results.put(UnsavedResult(id="job/file-1", digests=["0" * 64]))
    if next_event == "the same again":
        await service.renderings.file_checked("file-1")
    else:
        await service.renderings.file_deleted("file-1")
    assert await unsaved.results.find() == []


async def test_what_an_interrupted_check_stored_goes_with_its_file(tmp_path: Path) -> None:
    service = Ingest(tmp_path)
    await service.datasets.unsaved.results.put(UnsavedResult(id="file-1", digests=["0" * 64]))
    await service.datasets.file_deleted(FileDeleted(file_id="file-1", owner="key_1", author="key_1", at=1))
    assert await service.datasets.unsaved.results.find() == []
