"""Ingest over real NATS and MongoDB: an uploaded file in, a dataset out."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from litestar.testing import AsyncTestClient

from services.ingest.app import build
from services.ingest.config import Settings
from shared.artifacts import Artifacts
from shared.bus import Bus
from shared.cloudevents import Envelope
from shared.events import DatasetReady, DatasetRejected, DatasetUploaded
from shared.security import Keyring
from shared.settings import CommonSettings


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
    from shared.store import Store

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
    assert (await client.get("/readyz")).json() == {"mongo": "ok", "nats": "ok", "artifacts": "ok"}
    assert "assay_ingest" in (await client.get("/metrics")).text
