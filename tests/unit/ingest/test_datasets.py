"""Uploads become datasets once; series, templates, pages of rows and deletion, over a store in memory."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from services.ingest.adapters.worker_process import WorkerProcess
from services.ingest.domain.dataset import Dataset
from services.ingest.ports import PreparationRequest, PreparationResult, RenderRequest, RenderResult
from services.ingest.service.rows import RowFilter
from shared.artifacts import Artifacts
from shared.events import (
    Artifact,
    DatasetReady,
    FileDeleted,
    PromptTemplate,
    TemplateRef,
    TrainingRequested,
    TrainingSpec,
)
from shared.prompts import render
from tests.ingest import Ingest
from tests.prepared import filler, jsonl


async def test_a_series_with_a_template_is_rendered_for_training_as_for_serving(tmp_path: Path) -> None:
    service = Ingest(tmp_path)
    artifacts, templates, datasets, rows = service.artifacts, service.templates, service.datasets, service.rows
    asked = PromptTemplate(name="support", version=1, system="你是客服。", user="地点:{place}\n问题:{input}")
    first = await templates.publish("key_1", asked, None)
    assert (await templates.publish("key_1", asked, None)).version == first.version == 1

    def table(start: int) -> bytes:
        rows = (f"{{input}} {n * 7919} 怎么退货,用标签{n},第{n}店" for n in range(start, start + 30))
        return "\n".join(["问题,答案,place", *rows]).encode()

    for number, start in enumerate((0, 5)):
        upload = service.upload(
            f"file-{number}", table(start), dataset="shop", options={"template": {"name": "support"}}
        )
        await datasets.check(upload)
        await datasets.check(upload)
    before, after = await datasets.get("file-0"), await datasets.get("file-1")
    assert before is not None
    assert after is not None
    assert after.ready is not None
    assert (after.number, after.previous) == (2, "file-0")
    added, removed = rows.index(after).difference(rows.index(before))
    assert (len(added), len(removed)) == (5, 5)
    trained = [json.loads(line) for line in artifacts.read(after.ready.splits.train.artifact).splitlines()]
    shown = rows.page(after, 0, 100, RowFilter(split="train")).data
    assert len(trained) == len(shown) > 0
    for row, raw in zip(trained, shown, strict=True):
        place = f"第{row['messages'][2]['content'].removeprefix('用标签')}店"
        assert after.ready.template is not None
        served = render(after.ready.template, raw["content"]["messages"][:1], {"place": place})
        assert served == row["messages"][:2]


class Interrupted:
    """A preparer whose service is killed while it checks a file."""

    def __init__(self) -> None:
        self.started = asyncio.Event()

    async def prepare(self, request: PreparationRequest) -> PreparationResult:
        self.started.set()
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_killed_ingest_finishes_after_its_restart_and_a_repeated_upload_makes_no_second_dataset(
    tmp_path: Path,
) -> None:
    preparer = Interrupted()
    killed = Ingest(tmp_path, preparer)
    upload = killed.upload("file-1", jsonl(filler(40)), filename="rows.jsonl")
    check = asyncio.create_task(killed.datasets.check(upload))
    await preparer.started.wait()
    check.cancel()
    with pytest.raises(asyncio.CancelledError):
        await check
    assert await killed.datasets.get("file-1") is None
    again = Ingest(tmp_path, store=killed.store)
    for _time in range(2):
        await again.datasets.check(upload)
    [document] = await again.store.documents("datasets").find([])
    assert [event["type"] for event in document["outbox"]] == [DatasetReady.type]


def stored(artifacts: Artifacts, dataset: Dataset) -> dict[str, bool]:
    """Which artifacts of a dataset are there."""
    assert dataset.ready is not None
    splits, report = dataset.ready.splits, dataset.report
    found: dict[str, Artifact | None] = {"rows": report.rows, "index": report.index, "train": splits.train.artifact}
    return {name: one is not None and artifacts.contains(one) for name, one in found.items()}


async def test_a_deleted_dataset_takes_its_artifacts_along(tmp_path: Path) -> None:
    service = Ingest(tmp_path)
    rows = ["prompt,completion", *(f"question {n * 7919},answer {n}" for n in range(40))]
    content = "\n".join(rows).encode()
    first, second = await service.checked("file-1", content), await service.checked("file-2", content)
    await service.datasets.delete("file-1")
    assert await service.datasets.get("file-1") is None
    # The other dataset has the same rows.
    assert stored(service.artifacts, second) == {"rows": True, "index": True, "train": True}
    await service.datasets.delete("file-2")
    assert stored(service.artifacts, first) == {"rows": False, "index": False, "train": False}
    assert service.artifacts.contains(second.upload.artifact), "the gateway owns the uploaded file"


class Paused:
    """Real checks and renderings that have stored their artifacts and have not answered yet."""

    def __init__(self, service: Ingest) -> None:
        self.real, self.stored, self.gate = WorkerProcess(service.settings), asyncio.Event(), asyncio.Event()

    async def prepare(self, request: PreparationRequest) -> PreparationResult:
        return await self._paused(await self.real.prepare(request))

    async def render(self, request: RenderRequest) -> RenderResult:
        return await self._paused(await self.real.render(request))

    async def _paused(self, result: Any) -> Any:
        self.stored.set()
        await self.gate.wait()
        return result


async def test_a_dataset_whose_content_is_deleted_with_another_during_its_check_is_complete(tmp_path: Path) -> None:
    service = Ingest(tmp_path)
    first = await service.checked("file-1", jsonl(filler(40)))
    paused = Paused(service)
    second = Ingest(tmp_path, paused, service.store)
    check = asyncio.create_task(second.checked("file-2", jsonl(filler(40))))
    await paused.stored.wait()
    await service.datasets.delete("file-1")
    paused.gate.set()
    dataset = await check
    assert dataset.report.rows == first.report.rows
    assert stored(service.artifacts, dataset) == {"rows": True, "index": True, "train": True}
    await service.datasets.delete("file-2")
    assert not any(stored(service.artifacts, dataset)[name] for name in ("index", "train"))


async def test_a_rendering_whose_content_is_deleted_with_a_dataset_meanwhile_is_complete(tmp_path: Path) -> None:
    service = Ingest(tmp_path)
    template = PromptTemplate(name="support", version=1, system="Be brief.")
    await service.templates.publish("key_1", template, None)
    named = {"template": {"name": "support", "version": 1}}
    rendered = await service.checked("file-1", jsonl(filler(40)), options=named)
    await service.checked("file-2", jsonl(filler(40)))
    paused = Paused(service)
    object.__setattr__(service.renderings, "renderer", paused)
    spec = TrainingSpec(base_model="base", template=TemplateRef(name="support", version=1))
    event = TrainingRequested(job_id="job", training_file="file-2", spec=spec, owner="key_1")
    requested = asyncio.create_task(service.renderings.requested(event))
    await paused.stored.wait()
    await service.datasets.delete("file-1")
    paused.gate.set()
    await requested
    found = await service.asked.get("job/file-2")
    assert found is not None
    assert found.done is not None
    assert found.done.splits is not None
    assert rendered.ready is not None
    train = found.done.splits.train.artifact
    assert train.sha256 == rendered.ready.splits.train.artifact.sha256
    assert service.artifacts.contains(train)


async def test_the_splits_of_a_file_that_a_job_named_stay(tmp_path: Path) -> None:
    service = Ingest(tmp_path)
    # Canonical already: its rows are the uploaded file itself.
    dataset = await service.checked("file-1", _compact(40), filename="rows.jsonl")
    assert dataset.report.rows is not None
    assert dataset.report.rows.sha256 == dataset.upload.artifact.sha256
    spec = TrainingSpec(base_model="base")
    await service.renderings.requested(TrainingRequested(job_id="job", training_file="file-1", spec=spec))
    await service.datasets.delete("file-1")
    assert stored(service.artifacts, dataset) == {"rows": True, "index": False, "train": True}


@pytest.mark.parametrize("when", ["after the check", "during the check"])
async def test_a_file_that_is_deleted_takes_its_dataset_along(tmp_path: Path, when: str) -> None:
    service = Ingest(tmp_path)
    deleted = FileDeleted(file_id="file-1", owner="key_1", author="key_1", at=1)
    if when == "during the check":
        await service.datasets.file_deleted(deleted)
    dataset = await service.datasets.get("file-1")
    upload = service.upload("file-1", jsonl(filler(40)), filename="rows.jsonl")
    await service.datasets.check(upload)
    if when == "after the check":
        dataset = await service.datasets.get("file-1")
        assert dataset is not None
        await service.datasets.file_deleted(deleted)
        assert not any(stored(service.artifacts, dataset)[name] for name in ("index", "train"))
    assert await service.datasets.get("file-1") is None


def _compact(count: int) -> bytes:
    return b"".join(
        json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for row in filler(count)
    )
