"""A file is checked in a process of its own, whose death or hunger for memory ends no other."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from services.ingest import worker
from services.ingest.adapters.worker_process import Unavailable, WorkerProcess
from services.ingest.config import Settings
from services.ingest.ports import PreparationRequest
from shared.artifacts import Artifacts
from shared.events import DatasetUploaded
from shared.settings import CommonSettings
from tests.prepared import filler, jsonl


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    common = CommonSettings(artifacts=str(tmp_path / "artifacts"))
    (tmp_path / "work").mkdir()
    return Settings(common=common, work_dir=tmp_path / "work", keep_ready=False)


def request(settings: Settings, content: bytes, name: str = "rows.jsonl") -> PreparationRequest:
    artifact = Artifacts(settings.common.artifacts).put_bytes(content)
    return PreparationRequest(upload=DatasetUploaded(file_id="file-1", filename=name, artifact=artifact))


async def test_a_file_becomes_splits_in_the_store_and_no_scratch_file_stays(settings: Settings) -> None:
    rows = filler(40)
    result = await WorkerProcess(settings).prepare(request(settings, jsonl(rows)))
    assert result.splits is not None
    splits = (result.splits.train, result.splits.validation, result.splits.test)
    artifacts = Artifacts(settings.common.artifacts)
    stored = [json.loads(line) for split in splits for line in artifacts.read(split.artifact).splitlines()]
    assert sorted(map(str, stored)) == sorted(map(str, rows))
    assert sum(split.rows for split in splits) == 40
    assert list((settings.work_dir or Path()).iterdir()) == []


async def test_the_same_rows_are_the_same_version_in_any_order(settings: Settings) -> None:
    rows = filler(40)
    worker = WorkerProcess(settings)
    one = await worker.prepare(request(settings, jsonl(rows)))
    other = await worker.prepare(request(settings, jsonl(reversed(rows))))
    less = await worker.prepare(request(settings, jsonl(rows[1:])))
    assert one.version == other.version != less.version


async def test_a_file_that_takes_too_much_memory_is_refused(settings: Settings) -> None:
    small = settings.model_copy(update={"memory_gib": 0.05})
    line = jsonl([{"text": "x" * 900_000}])
    result = await WorkerProcess(small).prepare(request(small, line * 60))
    assert result.splits is None
    assert result.report.errors[0].code in ("too_large", "check_failed")


def test_what_killed_processes_left_is_removed_at_start(settings: Settings) -> None:
    assert settings.work_dir is not None
    left, kept = settings.work_dir / "assay-ingest-99999999-x", settings.work_dir / f"assay-ingest-{os.getpid()}-y"
    left.mkdir()
    kept.mkdir()
    WorkerProcess(settings).clean()
    assert [folder.name for folder in settings.work_dir.iterdir()] == [kept.name]


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("error", [FULL, TimeoutError("the bucket does not answer")], ids=["full", "bucket"])
def test_a_full_disk_and_a_bucket_that_is_away_are_not_the_files_fault(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def check(*_: Any) -> None:
        raise error

    monkeypatch.setattr(worker, "check", check)
    asked = request(settings, jsonl(filler(12))).model_dump(mode="json")
    settled = {"request": asked, "artifacts": settings.common.artifacts, "scratch": str(settings.work_dir)}
    assert worker.answer(settled) == {"unavailable": str(error)}


async def test_a_file_is_not_refused_while_the_artifact_folder_is_away(settings: Settings) -> None:
    asked = request(settings, jsonl(filler(12)))
    artifacts = Path(settings.common.artifacts)
    artifacts.rename(artifacts.with_suffix(".away"))
    with pytest.raises(Unavailable, match="mount its file system"):
        await WorkerProcess(settings).prepare(asked)
    artifacts.with_suffix(".away").rename(artifacts)
    assert (await WorkerProcess(settings).prepare(asked)).splits is not None


class FullDisk:
    """Children of which each finds the disk full."""

    async def start(self, _request: dict[str, Any], *, new: bool) -> "FullDisk":
        return self

    async def reply(self) -> dict[str, Any]:
        return {"unavailable": "No space left on device"}

    async def kill(self) -> None:
        pass


async def test_a_check_that_found_the_disk_full_is_tried_again_later(settings: Settings) -> None:
    process = WorkerProcess(settings)
    process._children = FullDisk()  # type: ignore[assignment]
    with pytest.raises(Unavailable):
        await process.prepare(request(settings, jsonl(filler(12))))
