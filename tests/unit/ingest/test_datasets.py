"""Uploads become data sets once; series, templates and pages of rows, over a store in memory."""

import json
from pathlib import Path

from services.ingest.adapters.worker_process import WorkerProcess
from services.ingest.config import Settings
from services.ingest.domain.dataset import Dataset
from services.ingest.domain.pool import Pool
from services.ingest.domain.suite import Suite
from services.ingest.domain.template_version import TemplateVersion
from services.ingest.service.datasets import Datasets
from services.ingest.service.pools import Pools
from services.ingest.service.rows import RowFilter, Rows
from services.ingest.service.suites import Suites
from services.ingest.service.templates import Templates
from shared.artifacts import Artifacts
from shared.events import DatasetUploaded, PromptTemplate
from shared.prompts import render
from shared.settings import CommonSettings
from shared.store import MemoryStore


async def test_a_series_with_a_template_is_rendered_for_training_as_for_serving(tmp_path: Path) -> None:
    settings = Settings(common=CommonSettings(artifacts=str(tmp_path / "a")), work_dir=tmp_path, keep_ready=False)
    artifacts, store = Artifacts(settings.common.artifacts), MemoryStore("ingest")
    templates = Templates(store.collection("templates", TemplateVersion))
    suites = Suites(store.collection("suites", Suite), artifacts)
    datasets = Datasets(
        store.collection("datasets", Dataset),
        templates,
        suites,
        Pools(store.collection("pools", Pool)),
        WorkerProcess(settings),
    )
    asked = PromptTemplate(name="support", version=1, system="你是客服。", user="地点:{place}\n问题:{input}")
    first = await templates.publish("key_1", asked, None)
    assert (await templates.publish("key_1", asked, None)).version == first.version == 1

    def table(start: int) -> bytes:
        rows = (f"{{input}} {n * 7919} 怎么退货,用标签{n},第{n}店" for n in range(start, start + 30))
        return "\n".join(["问题,答案,place", *rows]).encode()

    for number, start in enumerate((0, 5)):
        upload = DatasetUploaded.model_validate(
            {
                "file_id": f"file-{number}",
                "filename": "rows.csv",
                "artifact": artifacts.put_bytes(table(start)).model_dump(),
                "owner": "key_1",
                "dataset": "shop",
                "options": {"template": {"name": "support"}},
            }
        )
        await datasets.check(upload)
        await datasets.check(upload)
    before, after = await datasets.get("file-0"), await datasets.get("file-1")
    assert before is not None
    assert after is not None
    assert after.ready is not None
    assert (after.number, after.previous) == (2, "file-0")
    rows = Rows(artifacts, tmp_path / "cache")
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
