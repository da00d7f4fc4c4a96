"""Uploads in parts by the official SDK: order, digests, limits, owners, expiry."""

import asyncio
import hashlib
import tempfile
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from services.gateway.fine_tuning.domain.uploads.upload import MAX_PART_BYTES, UPLOAD_S
from services.gateway.fine_tuning.service.uploads import MAX_PENDING, Uploads
from shared.events import DatasetUploaded, TemplateRef
from tests.fine_tuning_app import FineTuningApp, fine_tuning_app
from tests.gateway import rows
from tests.unit.gateway.test_uploads import events, left_on_disk

MAX_FILE_BYTES = 100_000
CONTENT = rows(40)
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FineTuningApp:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return fine_tuning_app(tmp_path, max_file_bytes=MAX_FILE_BYTES)


@pytest.fixture
def sdk(app: FineTuningApp) -> AsyncOpenAI:
    return app.sdk("train")


@pytest.fixture
def uploads(app: FineTuningApp) -> Uploads:
    return app.part.part.dependencies["uploads"]


def staged(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "artifacts" / "staging").rglob("*") if path.is_file()]


async def begin(sdk: AsyncOpenAI, size: int = len(CONTENT), **more: Any) -> str:
    made = await sdk.uploads.create(
        bytes=size, filename="a.jsonl", mime_type="text/jsonl", purpose="fine-tune", extra_body=more
    )
    assert (made.status, made.file) == ("pending", None)
    return made.id


async def send(sdk: AsyncOpenAI, upload_id: str, *pieces: bytes) -> list[str]:
    sent = await asyncio.gather(*(sdk.uploads.parts.create(upload_id, data=piece) for piece in pieces))
    return [part.id for part in sent]


async def test_a_large_file_is_sent_in_parts_and_becomes_a_file(app, sdk, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(CONTENT)
    done = await sdk.uploads.upload_file_chunked(
        file=path, mime_type="text/jsonl", purpose="fine-tune", part_size=1000, md5=MD5
    )
    assert (done.status, done.bytes, done.expires_at - done.created_at) == ("completed", len(CONTENT), UPLOAD_S)
    assert done.file is not None
    assert (await sdk.files.content(done.file.id)).content == CONTENT
    assert (await sdk.files.retrieve(done.file.id)).filename == "rows.jsonl"
    [event] = await events(app, DatasetUploaded)
    assert (event["file_id"], event["artifact"]["sha256"]) == (done.file.id, hashlib.sha256(CONTENT).hexdigest())
    assert staged(tmp_path) == []
    assert left_on_disk() == set()


async def test_the_order_of_the_parts_is_that_of_the_completion(sdk) -> None:
    upload = await begin(sdk)
    first, second, third, left_out = await send(sdk, upload, CONTENT[:700], CONTENT[700:900], CONTENT[900:], b"wrong")
    assert left_out not in (first, second, third)
    done = await sdk.uploads.complete(upload, part_ids=[first, second, third], md5=MD5.upper())
    assert (await sdk.files.content(done.file.id)).content == CONTENT


async def test_completing_again_gives_the_same_file_and_other_parts_are_refused(app, sdk) -> None:
    upload = await begin(sdk)
    [whole, again] = await send(sdk, upload, CONTENT, CONTENT)
    done = [await sdk.uploads.complete(upload, part_ids=[whole]) for _ in range(2)]
    assert done[0].file.id == done[1].file.id
    assert len(await events(app, DatasetUploaded)) == 1
    with pytest.raises(openai.ConflictError):
        await sdk.uploads.complete(upload, part_ids=[again])
    for ended in (sdk.uploads.cancel(upload), sdk.uploads.parts.create(upload, data=b"more")):
        with pytest.raises(openai.BadRequestError) as refused:
            await ended
        assert refused.value.code == "upload_completed"


async def test_a_wrong_digest_is_refused_and_the_parts_can_be_sent_again(app, sdk) -> None:
    upload = await begin(sdk)
    [damaged] = await send(sdk, upload, b"x" * len(CONTENT))
    with pytest.raises(openai.BadRequestError) as refused:
        await sdk.uploads.complete(upload, part_ids=[damaged], md5=MD5)
    assert (refused.value.code, refused.value.param) == ("md5_mismatch", "md5")
    assert await events(app, DatasetUploaded) == []
    [right] = await send(sdk, upload, CONTENT)
    assert (await sdk.uploads.complete(upload, part_ids=[right], md5=MD5)).status == "completed"


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ([0], r"hold 700 bytes, but the upload was created with 'bytes'"),
        ([0, 1, 1], "names a part twice"),
        ([0, 9], "no part 'part-unknown'"),
        ([], "Invalid value for 'part_ids'"),
    ],
)
async def test_parts_that_are_not_the_file_are_refused(sdk, chosen: list[int], message: str) -> None:
    upload = await begin(sdk)
    sent = dict(enumerate(await send(sdk, upload, CONTENT[:700], CONTENT[700:])))
    with pytest.raises(openai.BadRequestError, match=message) as refused:
        await sdk.uploads.complete(upload, part_ids=[sent.get(place, "part-unknown") for place in chosen])
    assert refused.value.param == "part_ids"


async def test_a_cancelled_upload_takes_no_parts_and_leaves_none(sdk, tmp_path: Path) -> None:
    upload = await begin(sdk)
    parts = await send(sdk, upload, CONTENT[:700], CONTENT[700:])
    assert len(staged(tmp_path)) == 2
    assert [(await sdk.uploads.cancel(upload)).status for _ in range(2)] == ["cancelled", "cancelled"]
    assert staged(tmp_path) == []
    for late in (sdk.uploads.parts.create(upload, data=b"more"), sdk.uploads.complete(upload, part_ids=parts)):
        with pytest.raises(openai.BadRequestError) as refused:
            await late
        assert refused.value.code == "upload_cancelled"
    assert staged(tmp_path) == []


async def test_an_upload_expires_after_an_hour_and_its_parts_are_swept(sdk, uploads: Uploads, tmp_path: Path) -> None:
    upload = await begin(sdk)
    parts = await send(sdk, upload, CONTENT)
    made = await uploads.views.get(upload)
    assert made is not None
    clock = [made.expires_at]
    object.__setattr__(uploads, "now", lambda: clock[0])
    for late in (sdk.uploads.parts.create(upload, data=b"more"), sdk.uploads.complete(upload, part_ids=parts)):
        with pytest.raises(openai.BadRequestError) as refused:
            await late
        assert refused.value.code == "upload_expired"
    await uploads.sweep()
    # A completion that began in time may still read them.
    assert len(staged(tmp_path)) == 1
    clock[0] += UPLOAD_S
    await uploads.sweep()
    assert staged(tmp_path) == []
    clock[0] += 2 * 86_400
    await uploads.sweep()
    assert await uploads.views.get(upload) is None


async def test_uploads_of_another_key_are_not_found(app, sdk) -> None:
    upload = await begin(sdk)
    parts = await send(sdk, upload, CONTENT)
    stranger = app.sdk("train")
    for attempt in (
        stranger.uploads.parts.create(upload, data=b"more"),
        stranger.uploads.complete(upload, part_ids=parts),
        stranger.uploads.cancel(upload),
    ):
        with pytest.raises(openai.NotFoundError, match="No such Upload object"):
            await attempt
    with pytest.raises(openai.PermissionDeniedError):
        await begin(app.sdk("infer"))


async def test_the_limits_of_files_hold(app, sdk) -> None:
    with pytest.raises(openai.APIStatusError, match="GATEWAY_MAX_FILE_BYTES") as refused:
        await begin(sdk, MAX_FILE_BYTES + 1)
    assert (refused.value.status_code, refused.value.param) == (413, "bytes")
    upload = await begin(sdk, 100)
    with pytest.raises(openai.BadRequestError, match="more than 200 bytes"):
        await send(sdk, upload, b"x" * 201)
    with pytest.raises(openai.BadRequestError, match="The part is empty"):
        await send(sdk, upload, b"")
    sending = app.http("train")
    sending.headers["authorization"] = f"Bearer {sdk.api_key}"
    headers = {"content-type": "multipart/form-data; boundary=b", "content-length": str(MAX_PART_BYTES + 100_000)}
    answer = await sending.post(f"/v1/uploads/{upload}/parts", content=b"", headers=headers)
    assert (answer.status_code, answer.json()["error"]["param"]) == (413, "data")


async def test_a_person_has_a_limited_number_of_pending_uploads(sdk) -> None:
    pending = [await begin(sdk) for _ in range(MAX_PENDING)]
    with pytest.raises(openai.RateLimitError) as refused:
        await begin(sdk)
    assert refused.value.code == "too_many_uploads"
    await sdk.uploads.cancel(pending[0])
    await begin(sdk)


async def test_the_options_of_a_file_can_be_sent_with_its_upload(app, sdk) -> None:
    options = {"mapping": {"a.b$": "prompt"}, "on_error": "drop", "template": "address:3", "test_share": 0.2}
    upload = await begin(sdk, **options)
    await sdk.uploads.complete(upload, part_ids=await send(sdk, upload, CONTENT))
    [event] = await events(app, DatasetUploaded)
    told = DatasetUploaded.model_validate(event)
    assert (told.drop_bad_rows, told.options.mapping, told.options.test_share) == (True, {"a.b$": "prompt"}, 0.2)
    assert told.options.template == TemplateRef(name="address", version=3)


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"bytes": 0}, "bytes", "invalid_value"),
        ({"bytes": "5"}, "bytes", "invalid_value"),
        ({"purpose": "batch"}, "purpose", "invalid_value"),
        ({"filename": None}, "filename", "missing_required_parameter"),
        ({"filename": "a\x00b"}, "filename", "invalid_value"),
        ({"mapping": {"a\x00": "prompt"}}, "mapping", "invalid_value"),
        ({"expires_after": {"anchor": "created_at", "seconds": 3600}}, "expires_after", "unsupported_parameter"),
        ({"colour": "red"}, "colour", "unknown_parameter"),
    ],
)
async def test_a_wrong_parameter_is_named(app, change: dict[str, Any], param: str, code: str) -> None:
    body = {"bytes": 5, "filename": "a", "mime_type": "text/jsonl", "purpose": "fine-tune", **change}
    async with app.http("train") as http:
        answer = await http.post("/v1/uploads", json=body)
        error = answer.json()["error"]
        assert (answer.status_code, error["param"], error["code"]) == (400, param, code)


async def test_a_request_that_is_repeated_with_its_idempotency_key_is_one(app, sdk, tmp_path: Path) -> None:
    once = {"idempotency-key": "once"}
    fields: Any = {"filename": "a", "mime_type": "text/jsonl", "purpose": "fine-tune", "extra_headers": once}
    first, again = [await sdk.uploads.create(bytes=len(CONTENT), **fields) for _ in range(2)]
    assert first.id == again.id
    with pytest.raises(openai.BadRequestError, match="Idempotency-Key"):
        await sdk.uploads.create(bytes=7, **fields)
    parts = [await sdk.uploads.parts.create(first.id, data=CONTENT, extra_headers=once) for _ in range(2)]
    assert parts[0].id == parts[1].id
    assert len(staged(tmp_path)) == 1


async def test_a_part_is_a_form_with_one_file(app) -> None:
    async with app.http("train") as http:
        body = {"bytes": 5, "filename": "a", "mime_type": "x", "purpose": "fine-tune"}
        upload = (await http.post("/v1/uploads", json=body)).json()["id"]
        place = f"/v1/uploads/{upload}/parts"
        for sent, param in (
            ({"files": {"file": ("a", b"12345")}}, "file"),
            ({"data": {"data": "12345"}, "files": {"x": ("x", b"")}}, "data"),
            ({"json": {}}, "data"),
        ):
            answer = await http.post(place, **sent)
            assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text
