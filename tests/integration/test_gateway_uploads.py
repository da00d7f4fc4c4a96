"""Uploads over real NATS and MongoDB: the announcement, and uploads that break off."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import fsspec
import openai
import pytest

from shared.events import DatasetUploaded, FileDeleted
from shared.settings import CommonSettings
from tests.gateway import Gateway, eventually, rows, running
from tests.unit.gateway.test_uploads import PURPOSE, part


@pytest.fixture
async def gateway(bus_settings: CommonSettings) -> AsyncIterator[Gateway]:
    async with running(bus_settings, ["http://127.0.0.1:9"]) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def own_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of other gateways on this machine do not count."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def left_on_disk() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("assay-upload-*"))


async def test_an_upload_that_is_cut_leaves_nothing_behind(gateway) -> None:
    host, port = gateway.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.key('train')}\r\n"
    head += "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n"
    writer.write(head.encode() + PURPOSE + part("file", b"x" * 300_000, "a"))
    await writer.drain()
    await eventually(left_on_disk)
    writer.close()
    await eventually(lambda: not left_on_disk())
    async with gateway.http("admin") as http:
        assert (await http.get("/v1/files")).json()["data"] == []
    assert await gateway.heard(DatasetUploaded) == []


async def test_an_upload_and_its_deletion_are_announced_with_the_options(gateway) -> None:
    sdk = gateway.sdk("train")
    options = {"on_error": "drop", "mapping": '{"a.b$": "prompt"}'}
    file = await sdk.files.create(file=("数据.xlsx", b"PK"), purpose="fine-tune", extra_body=options)
    [event] = await eventually(lambda: gateway.heard(DatasetUploaded))
    assert (event.file_id, event.drop_bad_rows, event.options.mapping) == (file.id, True, {"a.b$": "prompt"})
    await sdk.files.delete(file.id)
    [deleted] = await eventually(lambda: gateway.heard(FileDeleted))
    assert (deleted.file_id, deleted.owner) == (file.id, event.owner)


async def test_a_file_that_is_sent_in_parts_is_announced_once(gateway, tmp_path: Path) -> None:
    sdk, path = gateway.sdk("train"), tmp_path / "rows.jsonl"
    path.write_bytes(rows(200))
    done = await sdk.uploads.upload_file_chunked(file=path, mime_type="text/jsonl", purpose="fine-tune", part_size=4000)
    part_ids = ["part-unknown"]
    with pytest.raises(openai.ConflictError):
        await sdk.uploads.complete(done.id, part_ids=part_ids)
    assert (await sdk.files.content(done.file.id)).content == rows(200)
    [event] = await eventually(lambda: gateway.heard(DatasetUploaded))
    assert (event.file_id, event.filename) == (done.file.id, "rows.jsonl")


async def test_a_damaged_file_arrives_incomplete(gateway) -> None:
    sdk = gateway.sdk("train")
    file = await sdk.files.create(file=("a", rows(200)), purpose="fine-tune")
    [event] = await eventually(lambda: gateway.heard(DatasetUploaded))
    with fsspec.open(event.artifact.uri, "wb") as stored:
        stored.write(b"y" * event.artifact.bytes)
    with pytest.raises(openai.APIConnectionError):
        await sdk.files.content(file.id)
