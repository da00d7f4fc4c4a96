"""Requests about one upload in parts that run at the same time, as retries after a proxy's timeout do."""

import asyncio
import threading
from itertools import count
from pathlib import Path
from typing import Any

import openai
import pytest

from services.gateway.fine_tuning.service.uploads import Uploads
from shared.events import DatasetUploaded
from tests.unit.gateway.test_uploads import events
from tests.unit.gateway.test_uploads_in_parts import CONTENT, app, begin, sdk, send, staged, uploads

__all__ = ["app", "sdk", "uploads"]
ONCE: Any = {"extra_headers": {"idempotency-key": "once"}}
WAIT_S = 10.0


class Overtaken:
    """The first join begins once a second has, and the second goes on once `ended` is set."""

    def __init__(self, uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
        self.second, self.ended, self.calls = threading.Event(), threading.Event(), count()
        self.join = uploads.staging.join
        monkeypatch.setattr(uploads.staging, "join", self)

    def __call__(self, *arguments: Any) -> str:
        if next(self.calls) == 0:
            assert self.second.wait(WAIT_S)
        else:
            self.second.set()
            assert self.ended.wait(WAIT_S)
        return self.join(*arguments)


async def test_a_completion_that_is_sent_again_meanwhile_gets_the_same_file(app, sdk, uploads, monkeypatch) -> None:
    upload = await begin(sdk)
    parts, overtaken = await send(sdk, upload, CONTENT[:700], CONTENT[700:]), Overtaken(uploads, monkeypatch)
    both = [asyncio.create_task(sdk.uploads.complete(upload, part_ids=parts)) for _ in range(2)]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    overtaken.ended.set()
    first, again = await asyncio.gather(*both)
    assert (again.status, again.file.id) == ("completed", first.file.id)
    assert len(await events(app, DatasetUploaded)) == 1


async def test_a_completion_learns_that_the_upload_was_cancelled_meanwhile(sdk, uploads, monkeypatch) -> None:
    upload = await begin(sdk)
    parts, overtaken = await send(sdk, upload, CONTENT), Overtaken(uploads, monkeypatch)
    next(overtaken.calls)
    late = asyncio.create_task(sdk.uploads.complete(upload, part_ids=parts))
    assert await asyncio.to_thread(overtaken.second.wait, WAIT_S)
    await sdk.uploads.cancel(upload)
    overtaken.ended.set()
    with pytest.raises(openai.BadRequestError) as refused:
        await late
    assert refused.value.code == "upload_cancelled"


async def test_a_part_that_is_sent_three_times_at_once_is_counted_once(sdk, uploads, monkeypatch, tmp_path) -> None:
    upload = await begin(sdk)
    put, all_staged = uploads.staging.put, threading.Barrier(3)

    def together(*arguments: Any) -> None:
        put(*arguments)
        all_staged.wait(WAIT_S)

    monkeypatch.setattr(uploads.staging, "put", together)
    sent = await asyncio.gather(*(sdk.uploads.parts.create(upload, data=CONTENT, **ONCE) for _ in range(3)))
    [part] = {each.id for each in sent}
    assert len((await uploads.views.get(upload)).parts) == len(staged(tmp_path)) == 1
    done = await sdk.uploads.complete(upload, part_ids=[part])
    assert (await sdk.files.content(done.file.id)).content == CONTENT


async def test_a_part_keeps_its_content_while_it_is_sent_again(sdk, uploads, monkeypatch, tmp_path) -> None:
    upload = await begin(sdk)
    put, begun, answered, calls = uploads.staging.put, threading.Event(), threading.Event(), count()

    def later(group: str, piece: str, source: Path) -> None:
        if next(calls) == 0:
            begun.set()
            assert answered.wait(WAIT_S)
        put(group, piece, source)

    monkeypatch.setattr(uploads.staging, "put", later)
    other = b"x" * len(CONTENT)
    slow = asyncio.create_task(sdk.uploads.parts.create(upload, data=other, **ONCE))
    assert await asyncio.to_thread(begun.wait, WAIT_S)
    part = await sdk.uploads.parts.create(upload, data=CONTENT, **ONCE)
    answered.set()
    assert (await slow).id == part.id
    assert len(staged(tmp_path)) == 1
    done = await sdk.uploads.complete(upload, part_ids=[part.id])
    assert (await sdk.files.content(done.file.id)).content == CONTENT
