"""Uploads by the official SDK and by HTTP: options, limits, broken forms, deletion."""

import asyncio
import errno
import hashlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI

from services.gateway.fine_tuning.api.upload_form import _FormParts
from shared.cloudevents import EventData
from shared.events import (
    Artifact,
    DatasetReady,
    DatasetUploaded,
    FileDeleted,
    Split,
    Splits,
    TemplateRef,
    UploadOptions,
)
from tests.fine_tuning_app import FineTuningApp, fine_tuning_app
from tests.gateway import BASE, candidate, rows

MAX_FILE_BYTES = 2 * 1024 * 1024


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FineTuningApp:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return fine_tuning_app(tmp_path, max_file_bytes=MAX_FILE_BYTES)


@pytest.fixture
def sdk(app: FineTuningApp) -> AsyncOpenAI:
    return app.sdk("train")


async def announced(app: FineTuningApp, file_id: str) -> DatasetUploaded:
    file = await app.part.files.get(file_id)
    assert file is not None
    assert file.upload is not None
    return file.upload


async def events(app: FineTuningApp, event: type[EventData]) -> list[dict[str, Any]]:
    """The data of all events of a type that wait to be published."""
    documents = await app.store.documents("files").find([])
    return [told["data"] for document in documents for told in document["outbox"] if told["type"] == event.type]


def stored(app: FineTuningApp, artifact: Artifact) -> bool:
    return app.artifacts.contains(artifact)


async def checked(app: FineTuningApp, file_id: str, train: Artifact | None = None) -> None:
    """Ingest found the file good."""
    other = Split(artifact=candidate("x").adapter, rows=1)
    splits = Splits(train=Split(artifact=train, rows=5) if train else other, validation=other, test=other)
    await app.part.file_use_cases.ready(DatasetReady(file_id=file_id, rows=5, splits=splits))


async def test_the_options_of_an_upload_reach_ingest(app, sdk) -> None:
    options = {
        "on_error": "drop",
        "dataset": "addresses",
        "split_seed": "7",
        "format": "csv",
        "encoding": "gb18030",
        "delimiter": "\\t",
        "sheet": "表1",
        "shape": "prompt-completion",
        "mapping": '{"问题": "prompt"}',
        "group": "customer",
        "validation_share": "0.2",
        "test_share": "0",
        "template": "address:3",
    }
    file = await sdk.files.create(file=("数据.xlsx", b"PK\x03\x04any"), purpose="fine-tune", extra_body=options)
    event = await announced(app, file.id)
    assert (event.drop_bad_rows, event.dataset, event.split_seed) == (True, "addresses", 7)
    assert event.options == UploadOptions(
        format="csv",
        encoding="gb18030",
        delimiter="\t",
        sheet="表1",
        shape="prompt-completion",
        mapping={"问题": "prompt"},
        group="customer",
        validation_share=0.2,
        test_share=0,
        template=TemplateRef(name="address", version=3),
    )
    assert (file.filename, file.bytes, event.filename) == ("数据.xlsx", 7, "数据.xlsx")
    plain = await announced(app, (await sdk.files.create(file=("a.jsonl", rows(2)), purpose="fine-tune")).id)
    assert (plain.options, plain.drop_bad_rows, plain.dataset, plain.split_seed) == (UploadOptions(), False, "", 0)


BAD_FIELDS: list[tuple[dict[str, str], str]] = [
    ({"invented": "1"}, "invented"),
    ({"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}, "expires_after"),
    ({"on_error": "ignore"}, "on_error"),
    ({"delimiter": ";;"}, "delimiter"),
    ({"mapping": "question"}, "mapping"),
    ({"mapping": '["question"]'}, "mapping"),
    ({"mapping": '{"question": "a\\u0000b"}'}, "mapping"),
    ({"group": "a\x00b"}, "group"),
    ({"validation_share": "0.5"}, "validation_share"),
    ({"test_share": "nan"}, "test_share"),
    ({"split_seed": "-1"}, "split_seed"),
    ({"template": "no spaces"}, "template"),
    ({"template": "name:new"}, "template"),
    ({"dataset": "x" * 65}, "dataset"),
    ({"purpose": "assistants"}, "purpose"),
    ({"purpose": ""}, "purpose"),
]


@pytest.mark.parametrize(("fields", "param"), BAD_FIELDS)
async def test_a_wrong_or_unknown_form_field_is_refused_by_name(app, fields: dict[str, str], param: str) -> None:
    async with app.http("train") as http:
        form = {"purpose": "fine-tune", **fields}
        answer = await http.post("/v1/files", data=form, files={"file": ("a.jsonl", rows(2))})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text
        assert (await http.get("/v1/files")).json()["data"] == []


async def test_the_sdks_expires_after_is_refused_because_files_do_not_expire(sdk) -> None:
    with pytest.raises(Exception, match="kept until they are deleted"):
        await sdk.files.create(
            file=("a.jsonl", rows(2)), purpose="fine-tune", expires_after={"anchor": "created_at", "seconds": 3600}
        )


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    named = f'; filename="{filename}"' if filename else ""
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + content + b"\r\n"


PURPOSE, FILE, END = part("purpose", b"fine-tune"), part("file", b"{}", "a.jsonl"), b"--b--\r\n"
BROKEN: list[tuple[bytes, str | None]] = [
    (PURPOSE + FILE + FILE + END, "file"),
    (PURPOSE + PURPOSE + FILE + END, "purpose"),
    (PURPOSE + FILE + part("other", b"{}", "b.jsonl") + END, "other"),
    (PURPOSE + part("file", b"{}") + END, "file"),
    (PURPOSE + END, "file"),
    (FILE + END, "purpose"),
    (PURPOSE + FILE, None),
    (PURPOSE + FILE[:-20], None),
    (PURPOSE + part("group", b"\xff\xfe") + FILE + END, "group"),
    (PURPOSE + part("group", b"x" * 70_000) + FILE + END, None),
    (b"no form at all", None),
    (b"", "file"),
]


@pytest.mark.parametrize(("body", "param"), BROKEN)
async def test_a_broken_form_is_refused_and_leaves_nothing(app, body: bytes, param: str | None) -> None:
    async with app.http("train") as http:
        answer = await http.post("/v1/files", content=body, headers={"content-type": "multipart/form-data; boundary=b"})
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["param"] == param or not body
        assert (await http.get("/v1/files")).json()["data"] == []
    assert left_on_disk() == set()


@pytest.mark.parametrize("boundary", ["", "b" * 300])
async def test_a_boundary_that_cannot_be_read_is_refused(app, boundary: str) -> None:
    async with app.http("train") as http:
        headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
        answer = await http.post("/v1/files", content=PURPOSE, headers=headers)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


def left_on_disk() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("assay-upload-*"))


async def test_a_file_over_the_limit_gets_413_that_names_the_limit_and_its_setting(app) -> None:
    large = b"x" * (MAX_FILE_BYTES + 1)
    async with app.http("train") as http:
        for body in ({"files": {"file": ("a", large)}}, {"content": in_pieces(large), "headers": FORM}):
            answer = await http.post("/v1/files", **body)
            error = answer.json()["error"]
            assert (answer.status_code, error["param"]) == (413, "file")
            assert f"{MAX_FILE_BYTES} bytes (GATEWAY_MAX_FILE_BYTES)" in error["message"]
        whole = await http.post("/v1/files", data={"purpose": "fine-tune"}, files={"file": ("a", large[1:])})
        assert whole.status_code == 200
    assert left_on_disk() == set()


FORM = {"content-type": "multipart/form-data; boundary=b"}


async def in_pieces(content: bytes) -> AsyncIterator[bytes]:
    """A body whose length is not told before."""
    yield PURPOSE + part("file", b"", "a").removesuffix(b"\r\n")
    for place in range(0, len(content), 65536):
        yield content[place : place + 65536]
    yield b"\r\n" + END


async def test_a_full_disk_is_503_and_leaves_nothing(app, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(_FormParts, "data", full)
        async with app.http("train") as http:
            form = {"purpose": "fine-tune"}
            answer = await http.post("/v1/files", data=form, files={"file": ("a.jsonl", rows(2))})
            assert (answer.status_code, "disk of this server is full" in answer.text) == (503, True)
            assert (await http.get("/v1/files")).json()["data"] == []
    assert left_on_disk() == set()


async def test_an_upload_while_the_artifact_store_is_away_is_503_and_can_be_repeated(app, tmp_path: Path) -> None:
    store = tmp_path / "artifacts"
    app.artifacts.put_bytes(b"the store exists")
    store.rename(tmp_path / "away")
    async with app.http("train") as http:
        sent = {"data": {"purpose": "fine-tune"}, "files": {"file": ("a.jsonl", rows(2))}}
        answer = await http.post("/v1/files", **sent)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert str(tmp_path) not in answer.text
        (tmp_path / "away").rename(store)
        assert (await http.post("/v1/files", **sent)).status_code == 200


@pytest.mark.parametrize(
    ("name", "kept"),
    [("../../keys.json", "keys.json"), ("/etc/passwd", "passwd"), ("..\\..\\rows.jsonl", "rows.jsonl")],
)
async def test_the_folders_in_a_files_name_are_left_out(app, sdk, name: str, kept: str) -> None:
    file = await sdk.files.create(file=(name, rows(3)), purpose="fine-tune")
    assert file.filename == (await announced(app, file.id)).filename == kept
    assert (await sdk.files.content(file.id)).content == rows(3)
    assert left_on_disk() == set()


async def test_two_uploads_of_one_file_at_once_are_two_files_with_one_content(app, sdk) -> None:
    content = rows(3) * 1000

    async def upload() -> str:
        return (await sdk.files.create(file=("a.jsonl", content), purpose="fine-tune")).id

    ids = await asyncio.gather(*(upload() for _ in range(4)))
    assert len(set(ids)) == 4
    artifacts = {(await announced(app, file_id)).artifact.sha256 for file_id in ids}
    assert artifacts == {hashlib.sha256(content).hexdigest()}
    assert (await sdk.files.content(ids[0])).content == content
    assert left_on_disk() == set()


async def test_the_same_idempotency_key_with_other_options_is_refused(app) -> None:
    async with app.http("train") as http:

        async def send(**fields: Any) -> httpx.Response:
            form = {"purpose": "fine-tune", **fields}
            headers = {"idempotency-key": "once"}
            return await http.post("/v1/files", data=form, files={"file": ("a", rows(2))}, headers=headers)

        first, again, other = await send(), await send(), await send(on_error="drop")
    assert first.json()["id"] == again.json()["id"]
    assert other.json()["error"]["code"] == "idempotency_key_reused"
    assert len(await events(app, DatasetUploaded)) == 1


async def test_the_content_of_a_deleted_file_goes_when_nothing_else_refers_to_it(app, sdk) -> None:
    first, second = [await sdk.files.create(file=("a", rows(3)), purpose="fine-tune") for _ in range(2)]
    artifact = (await announced(app, first.id)).artifact
    await checked(app, first.id)
    await checked(app, second.id)
    await sdk.files.delete(first.id)
    assert stored(app, artifact)
    await sdk.files.delete(second.id)
    assert not stored(app, artifact)
    assert {told["file_id"] for told in await events(app, FileDeleted)} == {first.id, second.id}
    third = await sdk.files.create(file=("a", rows(3)), purpose="fine-tune")
    assert (await sdk.files.content(third.id)).content == rows(3)


async def test_a_deleted_file_that_ingest_still_reads_keeps_its_content_until_then(app, sdk) -> None:
    file = await sdk.files.create(file=("a", rows(4)), purpose="fine-tune")
    job = await sdk.fine_tuning.jobs.create(model=BASE, training_file=file.id)
    artifact = (await announced(app, file.id)).artifact
    await sdk.files.delete(file.id)
    assert stored(app, artifact)
    await checked(app, file.id)
    assert not stored(app, artifact)
    assert (await sdk.fine_tuning.jobs.retrieve(job.id)).status != "failed"


async def test_a_split_with_the_same_content_keeps_it(app, sdk) -> None:
    file = await sdk.files.create(file=("a", rows(5)), purpose="fine-tune")
    artifact = (await announced(app, file.id)).artifact
    await checked(app, file.id, train=artifact)
    await sdk.files.delete(file.id)
    assert stored(app, artifact)
