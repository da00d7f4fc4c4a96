"""Suites, evaluations and comparisons by HTTP, with a real database and artifact store and a scripted model."""

import csv
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
import openpyxl
import pytest

from services.evaluator.comparison import api as comparisons_api
from services.evaluator.comparison.adapters.spreadsheet import as_csv, as_xlsx
from services.evaluator.comparison.service import Comparisons
from services.evaluator.config import Settings
from services.evaluator.evaluation.api import evaluations as evaluations_api
from services.evaluator.evaluation.domain.evaluation import Progress
from services.evaluator.evaluation.service.evaluations import Evaluations
from services.evaluator.scoring.domain.item import Item
from services.evaluator.suites import api as suites_api
from shared import web
from shared.artifacts import Artifacts
from shared.events import Artifact, Candidate, CheckpointSaved, Split, TrainingMetrics
from shared.settings import CommonSettings
from shared.store import Store
from tests.evaluator import evaluations_over

TABLE = "question,answer\n" + "".join(f"What is number {n}?,{('cat', 'dog')[n % 2]}\n" for n in range(40))


def candidate(step: int) -> Candidate:
    adapter = Artifact(uri="file:///a", sha256=f"{step << 240:064x}", bytes=1)
    return Candidate(
        job_id="j", step=step, base_model="base", model_name="m", adapter=adapter, lora_rank=4, suite="pets"
    )


WRONG_FROM = {None: 20, candidate(1).version: 40, candidate(2).version: 10}


def says(version: str | None, place: int, item: Item) -> str:
    """Right up to a place of each model, then a formula or another label."""
    return item.reference if place < WRONG_FROM[version] else ("=1+1" if place % 2 else "dog")


@dataclass
class Watched:
    """A progress store with a callback after each change."""

    put: Callable[[Progress], Awaitable[None]]
    get: Callable[[str], Awaitable[Progress | None]]


@dataclass
class Service:
    evaluations: Evaluations
    http: httpx.AsyncClient

    async def evaluate(self, step: int, rows: int = 40) -> None:
        lines = "".join(
            json.dumps({"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": f"a{n}"}]})
            + "\n"
            for n in range(rows)
        )
        files: Artifacts = self.evaluations.files
        test = Split(artifact=files.put_bytes(lines.encode()), rows=rows)
        made = candidate(step)
        await self.evaluations.evaluate(
            CheckpointSaved(candidate=made, total_steps=9, metrics=TrainingMetrics(step=step), test=test)
        )


@pytest.fixture
async def service(common: CommonSettings, keyring) -> AsyncIterator[Service]:
    store = Store(common.mongo_url, f"{common.database_prefix}evaluator", "evaluator")
    evaluations = evaluations_over(store, Artifacts(common.artifacts), says)
    comparisons = Comparisons(evaluations, evaluations.files, {"csv": as_csv, "xlsx": as_xlsx})
    app = web.build(
        "evaluator",
        Settings(common=common),
        [evaluations_api.routes, suites_api.routes, comparisons_api.routes],
        checks={},
        dependencies={
            "evaluations": evaluations,
            "suite_catalog": evaluations.suite_catalog,
            "comparisons": comparisons,
        },
        exception_handlers={**evaluations_api.problems, **suites_api.problems, **comparisons_api.problems},
    )
    key = {"authorization": f"Bearer {keyring.create('test', ('admin',))}"}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://evaluator", headers=key) as http:
        made = Service(evaluations, http)
        asked = {"format": "csv", "metrics": "accuracy"}
        put = await http.put("/v1/suites/pets/tasks/sorts/table", params=asked, content=TABLE.encode())
        assert put.status_code == 200, put.text
        # The checkpoints of these tests have no owner.
        shared = {"tasks": put.json()["tasks"], "readers": ["*"]}
        assert (await http.put("/v1/suites/pets", json=shared)).status_code == 200
        yield made
    store.close()


async def test_suites_are_listed_read_changed_and_refused(service: Service) -> None:
    assert (await service.http.get("/v1/suites")).json() == ["general", "pets"]
    pets = (await service.http.get("/v1/suites/pets")).json()
    assert (pets["revision"], [task["name"] for task in pets["tasks"]]) == (2, ["sorts"])
    assert (await service.http.get("/v1/suites/none")).status_code == 404
    rows = [{"question": "q", "answer": "a"}]
    changed = await service.http.put("/v1/suites/pets", json={"tasks": [{"name": "other", "data": {"rows": rows}}]})
    assert changed.json()["revision"] == 3
    for content, status in (
        ({"tasks": [{"name": "t", "data": {"rows": rows}, "metrics": ["blue"]}]}, 422),
        ({"tasks": [{"name": "t"}]}, 422),
        ({"tasks": []}, 400),
        ({"taks": []}, 400),
    ):
        refused = await service.http.put("/v1/suites/pets", json=content)
        assert refused.status_code == status
        assert refused.json()["detail"]
    assert (await service.http.put("/v1/suites/general", json={"tasks": pets["tasks"]})).status_code == 422
    bad = await service.http.put("/v1/suites/pets/tasks/x/table", params={"format": "doc"}, content=b"")
    assert bad.status_code == 400


async def test_checkpoints_and_base_are_compared_side_by_side(service: Service) -> None:
    await service.evaluate(1)
    await service.evaluate(2)
    found = (await service.http.get("/v1/comparisons", params={"of": ["j/1", "j/2"]})).json()
    assert found["models"] == ["base", "j/1", "j/2"]
    shares = found["scores"]["pets.sorts.accuracy"]
    assert {name: score["n"] for name, score in shares.items()} == dict.fromkeys(found["models"], 40)
    assert shares["j/1"]["value"] == 1 > shares["base"]["value"] > shares["j/2"]["value"]
    verdicts = {
        name: next(test["verdict"] for test in tests if test["metric"] == "exact_match")
        for name, tests in found["comparisons"].items()
    }
    assert verdicts == {"j/1": "better", "j/2": "worse"}
    lost = await service.http.get(
        "/v1/comparisons/items", params={"of": ["j/1", "j/2"], "which": "lost", "task": "", "limit": 1000}
    )
    assert [item["place"] for item in lost.json()] == list(range(11, 21))
    assert lost.json()[0]["lost"] == ["j/2"]
    assert lost.json()[0]["answers"]["base"] == lost.json()[0]["reference"] == "a10"


async def test_exports_as_csv_and_excel_contain_no_formula(service: Service) -> None:
    await service.evaluate(1)
    await service.evaluate(2)
    asked = {"of": ["j/2", "j/1"], "base": False}
    got = await service.http.get("/v1/comparisons/export", params={**asked, "format": "csv"})
    header, *lines = csv.reader(io.StringIO(got.content.decode("utf-8-sig")))
    assert len(lines) == 80
    answers = {line[header.index("j/2: answer")] for line in lines}
    assert "'=1+1" in answers
    assert "=1+1" not in answers
    got = await service.http.get("/v1/comparisons/export", params=asked)
    book = openpyxl.load_workbook(io.BytesIO(got.content))
    assert book.sheetnames == ["scores", "subjects", "items"]
    [scores] = [row for row in book["scores"].iter_rows(values_only=True) if row[0] == "pets.sorts.accuracy"]
    assert scores[1] == 40
    assert scores[2:4] == (pytest.approx(scores[2]), 1)
    assert scores[-1] == "better"
    cells = [cell for row in book["items"].iter_rows() for cell in row if cell.value == "=1+1"]
    assert cells
    assert {cell.data_type for cell in cells} == {"s"}


async def test_incomparable_models_are_refused_with_the_reason(service: Service) -> None:
    await service.evaluate(1)
    await service.evaluate(2, rows=30)
    left = (await service.http.get("/v1/comparisons", params={"of": ["j/1", "j/2"]})).json()
    assert left["left_out"] == {"": "the models were asked different questions"}
    assert "pets.sorts.accuracy" in left["scores"]
    for asked, status in (
        ({"of": ["j/1"], "base": False}, 422),
        ({"of": ["j/1"], "base": False, "production": True}, 422),
        ({"of": ["j/1", "j/9"]}, 404),
        ({}, 400),
    ):
        assert (await service.http.get("/v1/comparisons", params=asked)).status_code == status


async def test_progress_shows_known_scores_and_waiting_tasks(service: Service) -> None:
    assert (await service.http.get("/v1/evaluations/j/1/progress")).status_code == 404
    seen: list[dict] = []

    async def looked(progress: Progress) -> None:
        await put(progress)
        seen.append((await service.http.get("/v1/evaluations/j/1/progress")).json())

    store: Any = service.evaluations.suite_runner.progress
    put = store.put
    progress: Any = Watched(looked, store.get)
    watched = replace(service.evaluations, suite_runner=replace(service.evaluations.suite_runner, progress=progress))
    await replace(service, evaluations=watched).evaluate(1)
    assert [(sorted(each["scores"]), each["waiting"]) for each in seen] == [
        ([""], ["pets.sorts"]),
        (["", "pets.sorts"], []),
    ]
    assert seen[0]["scores"][""]["exact_match"] == {"value": 1, "n": 40}


async def test_the_confusion_matrix_is_served(service: Service) -> None:
    await service.evaluate(2)
    found = (await service.http.get("/v1/evaluations/j/2/confusion", params={"task": "pets.sorts"})).json()
    assert found["labels"] == ["cat", "dog"]
    assert found["counts"] == [[5, 15, 0], [0, 5, 15]]
    assert (await service.http.get("/v1/evaluations/j/2/confusion?task=no")).status_code == 404
