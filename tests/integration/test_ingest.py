"""Ingest over real NATS and MongoDB: an uploaded file in, a dataset out."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx
import psutil
import pytest
from litestar.testing import AsyncTestClient

from services.ingest.app import build
from services.ingest.config import Settings
from shared.artifacts import Artifacts
from shared.bus import Bus
from shared.cloudevents import Envelope
from shared.events import DatasetReady, DatasetRejected, DatasetUploaded
from shared.prompts import render
from shared.security import Keyring
from shared.settings import CommonSettings
from shared.store import Store
from tests.running import descendants


def row(n: int) -> str:
    return json.dumps({"messages": [{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": f"a{n}"}]})


@pytest.fixture
async def client(bus_settings: CommonSettings, keyring: Keyring) -> AsyncIterator[httpx.AsyncClient]:
    app = build(Settings(common=bus_settings))
    key = keyring.create("test", ("admin",))
    async with AsyncTestClient(app) as client:
        client.headers["authorization"] = f"Bearer {key}"
        yield client


async def upload(
    client: httpx.AsyncClient, settings: CommonSettings, file_id: str, content: str, owner: str = ""
) -> dict:
    artifact = Artifacts(settings.artifacts).put_bytes(content.encode())
    store = Store(settings.mongo_url, f"{settings.database_prefix}test", "test")
    bus = Bus(settings.nats_url, "test", store)
    await bus.start()
    event = DatasetUploaded(file_id=file_id, filename="rows.jsonl", artifact=artifact, owner=owner)
    await bus.publish(Envelope.of(event, "test"))
    await bus.stop()
    store.close()
    async with asyncio.timeout(15):
        while (answer := await client.get(f"/v1/datasets/{file_id}")).status_code == 404:
            await asyncio.sleep(0.05)
    return answer.json()


async def test_a_clean_file_becomes_three_disjoint_parts(client, bus_settings) -> None:
    content = "\n".join(row(n % 50) for n in range(60))
    answer = await upload(client, bus_settings, "file-1", content)
    ready = DatasetReady.model_validate(answer["ready"])
    assert (ready.rows, ready.duplicate_rows) == (50, 10)
    artifacts = Artifacts(bus_settings.artifacts)
    splits = (ready.splits.train, ready.splits.validation, ready.splits.test)
    parts = [set(artifacts.read(split.artifact).splitlines()) for split in splits]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 50
    assert min(map(len, parts)) >= 1


async def test_a_file_with_bad_rows_is_refused_and_the_lines_are_named(client, bus_settings) -> None:
    lines = [row(n) for n in range(20)]
    lines[4] = '{"messages": []}'
    lines[9] = "{oops"
    answer = await upload(client, bus_settings, "file-2", "\n".join(lines))
    rejected = DatasetRejected.model_validate(answer["rejected"])
    assert rejected.bad_rows == 2
    assert [error.line for error in rejected.errors] == [5, 10]


async def test_a_dataset_is_shown_to_its_owner_and_to_administrators_alone(client, bus_settings, keyring) -> None:
    secrets = [keyring.create(name, ("train",)) for name in ("one", "two")]
    known = keyring.keys()
    [owner] = [key for key in known if key.name == "one"]
    await upload(client, bus_settings, "file-3", "\n".join(map(row, range(20))), owner.id)
    seen = []
    for secret in secrets:
        client.headers["authorization"] = f"Bearer {secret}"
        listed = (await client.get("/v1/datasets")).json()
        seen.append(((await client.get("/v1/datasets/file-3")).status_code, [dataset["id"] for dataset in listed]))
    assert seen == [(200, ["file-3"]), (404, [])]


async def test_a_request_without_a_key_is_refused_and_health_needs_none(client) -> None:
    client.headers.pop("authorization")
    answer = await client.get("/v1/datasets")
    assert answer.status_code == 401
    assert answer.json()["detail"].startswith("send your API key")
    assert (await client.get("/healthz")).status_code == 200
    assert (await client.get("/readyz")).json() == {"status": "ready"}
    assert "assay_ingest" in (await client.get("/metrics")).text


async def said(client, settings: CommonSettings, file_id: str, content: bytes, **more: object) -> dict:
    """Upload a file with options, and wait for what becomes of it."""
    event = DatasetUploaded.model_validate(
        {
            "file_id": file_id,
            "filename": "rows.csv",
            "artifact": Artifacts(settings.artifacts).put_bytes(content).model_dump(),
            "created_at": int(file_id.rsplit("-", 1)[1]),
            **more,
        }
    )
    store = Store(settings.mongo_url, f"{settings.database_prefix}test", "test")
    bus = Bus(settings.nats_url, "test", store)
    await bus.start()
    for time in range(2):
        # The second time stands for a client that repeats its upload event: it makes no second dataset.
        await bus.publish(Envelope.of(event, "test").model_copy(update={"id": f"{file_id}-{time}"}))
    await bus.stop()
    store.close()
    async with asyncio.timeout(30):
        while (answer := await client.get(f"/v1/datasets/{file_id}")).status_code == 404:
            await asyncio.sleep(0.05)
    return answer.json()


async def test_a_table_with_a_template_is_rendered_for_training_as_for_serving(client, bus_settings, keyring) -> None:
    made = {
        "name": "support",
        "system": "你是客服。",
        "user": "地点:{place}\n问题:{input}",
        "decoding": {"max_tokens": 40},
    }
    published = (await client.post("/v1/templates", json=made)).json()
    assert published["template"]["fields"] == ["place"]
    assert (await client.post("/v1/templates", json=made)).json()["version"] == 1
    assert (await client.post("/v1/templates", json={**made, "user": "no placeholder"})).status_code == 400
    owner = next(key.id for key in list(keyring.keys()) if key.name == "test")
    lines = ["问题,答案,place", *(f"{{input}} {n * 7919} 怎么退货,用标签{n},第{n}店" for n in range(20))]
    options = {"template": {"name": "support"}}
    answer = await said(client, bus_settings, "file-11", "\n".join(lines).encode(), owner=owner, options=options)
    ready = DatasetReady.model_validate(answer["ready"])
    assert ready.template is not None
    assert ready.template.decoding.max_tokens == 40
    row = json.loads(Artifacts(bus_settings.artifacts).read(ready.splits.train.artifact).splitlines()[0])
    found = await client.get("/v1/datasets/file-11/rows", params={"text": row["messages"][2]["content"]})
    shown = next(one for one in found.json()["data"] if one["content"]["messages"][1] == row["messages"][2])
    asked = shown["content"]["messages"][:1]
    place = f"第{row['messages'][2]['content'].removeprefix('用标签')}店"
    assert render(ready.template, asked, {"place": place}) == row["messages"][:2]


async def test_versions_of_a_series_rows_findings_exports_and_deletion(client, bus_settings) -> None:
    def table(rows: range) -> bytes:
        return "\n".join(["prompt,completion", *(f"question {n * 7919},=answer {n}" for n in rows), "empty,"]).encode()

    first = {"dataset": "shop", "drop_bad_rows": True}
    await said(client, bus_settings, "file-21", table(range(30)), **first)
    second = await said(client, bus_settings, "file-22", table(range(5, 40)), **first)
    assert (second["number"], second["previous"]) == (2, "file-21")
    difference = (await client.get("/v1/datasets/file-22/difference")).json()
    assert (difference["added"], difference["removed"]) == (10, 5)
    listed = (await client.get("/v1/datasets", params={"series": "shop"})).json()
    assert [dataset["id"] for dataset in listed] == ["file-22", "file-21"]
    pages, after = [], 0
    while after is not None:
        page = (await client.get("/v1/datasets/file-22/rows", params={"after": after, "limit": 10})).json()
        pages += [row["row"] for row in page["data"]]
        after = page["next"]
    assert pages == list(range(35))
    assert (await client.get("/v1/datasets/file-22/findings")).json()["data"][0]["line"] == 37
    assert "completion,is empty" in (await client.get("/v1/datasets/file-22/findings.csv")).text
    table_out = await client.get("/v1/datasets/file-22/export", params={"shape": "input_output", "format": "csv"})
    assert '"\'=answer 5"' in table_out.text
    assert table_out.headers["assay-rows"] == "35"
    assert (await client.delete("/v1/datasets/file-21")).status_code == 204
    assert (await client.get("/v1/datasets/file-21")).status_code == 404


async def test_a_hostile_file_is_refused_and_the_next_one_is_checked(client, bus_settings) -> None:
    long = json.dumps({"text": "x", "k" * 600_000: 1}).encode()
    refused = await said(client, bus_settings, "file-31", long)
    assert refused["status"] == "rejected"
    assert (
        refused["rejected"]["errors"][0]["field"].endswith("…")
        or "characters" in refused["rejected"]["errors"][0]["field"]
    )
    unknown = await said(client, bus_settings, "file-32", long, options={"template": {"name": "nothing"}})
    assert unknown["rejected"]["errors"][0]["code"] == "unknown_template"
    assert (await said(client, bus_settings, "file-33", "\n".join(map(row, range(20))).encode()))["status"] == "ready"


async def test_a_worker_that_is_killed_is_started_again(client, bus_settings) -> None:
    content = "\n".join(map(row, range(30_000))).encode()
    checking = asyncio.create_task(said(client, bus_settings, "file-41", content))
    killed = None
    async with asyncio.timeout(20):
        while killed is None and not checking.done():
            await asyncio.sleep(0.02)
            busy = [one for one in descendants("services.ingest.worker") if _reads_rows(one)]
            # One that ended in between was too fast: the next look finds another, or the check is done.
            with suppress(psutil.NoSuchProcess):
                if busy:
                    busy[0].kill()
                    killed = busy[0].pid
    assert killed is not None
    assert (await checking)["status"] == "ready"


def _reads_rows(process: psutil.Process) -> bool:
    """Whether a worker has begun to check a file."""
    with suppress(psutil.Error):
        return any(file.path.endswith("rows.jsonl") for file in process.open_files())
    return False
