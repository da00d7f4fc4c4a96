"""Old facts in an archive: their stream is shortened, and made whole again, over real NATS."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from nats.js import JetStreamContext

from shared import topology
from shared.archive import rebuilding, shortening
from shared.archive.rebuilding import restore
from shared.archive.segments import Archive, ArchivedEvent, ArchiveError
from shared.archive.shortening import Shortened, shorten
from shared.artifacts import ArtifactStoreAway
from shared.cloudevents import Envelope
from shared.consumers import CONSUMERS, EVENTS_STREAM
from shared.events import TrainingCancelRequested
from shared.settings import CommonSettings
from tests.jetstream import jetstream

TRAINER, GATEWAY = "trainer-training_cancel_requested", "gateway-own-training_cancel_requested"


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """Small files and batches, so that a test has several."""
    monkeypatch.setattr(shortening, "MOST_IN_A_FILE", 4)
    monkeypatch.setattr(rebuilding, "_BATCH", 3)
    return Archive(str(tmp_path / "events"))


@pytest.fixture
async def js(bus_settings: CommonSettings) -> AsyncIterator[JetStreamContext]:
    async with jetstream(bus_settings) as js:
        yield js


async def publish(js: JetStreamContext, *numbers: int, **headers: str) -> None:
    for number in numbers:
        envelope = Envelope.of(TrainingCancelRequested(job_id=f"job-{number}"), "test")
        body = envelope.model_dump_json(exclude_none=True).encode()
        await js.publish(envelope.type, body, stream=EVENTS_STREAM, headers=headers or None)


async def handle(js: JetStreamContext, consumer: str, count: int) -> list[str]:
    """Take and acknowledge events as a service does; the numbers of their jobs."""
    subscription = await js.pull_subscribe_bind(consumer, EVENTS_STREAM)
    messages = await subscription.fetch(count, timeout=5)
    for message in messages:
        await message.ack_sync()
    await subscription.unsubscribe()
    return [job_of(message.data) for message in messages]


def job_of(data: bytes | None) -> str:
    return Envelope.model_validate_json(data or b"").data["job_id"].removeprefix("job-")


async def last_place(js: JetStreamContext) -> int:
    """The place of the last event; a stream that was emptied before the test does not begin at 1."""
    return (await js.stream_info(EVENTS_STREAM)).state.last_seq


async def jobs_in(js: JetStreamContext) -> list[str]:
    state = (await js.stream_info(EVENTS_STREAM)).state
    messages = [await js.get_msg(EVENTS_STREAM, seq=n) for n in range(state.first_seq, state.last_seq + 1)]
    return [job_of(message.data) for message in messages]


def say(_line: str) -> None:
    """Drop what the command tells an operator."""


async def shorten_all(js: JetStreamContext, archive: Archive) -> Shortened:
    return await shorten(js, archive, datetime.now(UTC) + timedelta(days=1), say)


def names(*numbers: int) -> list[str]:
    return [str(number) for number in numbers]


async def test_only_old_facts_that_every_consumer_has_handled_are_removed(
    js: JetStreamContext, archive: Archive
) -> None:
    empty = await last_place(js)
    await publish(js, *range(1, 11))
    await handle(js, TRAINER, 10)
    assert (await shorten_all(js, archive)) == Shortened(0, GATEWAY)
    await handle(js, GATEWAY, 7)
    assert (await shorten(js, archive, datetime.now(UTC) - timedelta(days=1), say)).removed == 0
    assert (await shorten_all(js, archive)) == Shortened(7, GATEWAY)
    assert await jobs_in(js) == names(8, 9, 10)
    archived = [event for segment in archive.segments() for event in archive.read(segment)]
    assert [(event.place - empty, job_of(event.data)) for event in archived] == [(n, str(n)) for n in range(1, 8)]
    assert [(each.first - empty, each.last - empty) for each in archive.segments()] == [(1, 4), (5, 7)]
    await handle(js, GATEWAY, 3)
    assert (await shorten_all(js, archive)) == Shortened(3)
    assert (await shorten_all(js, archive)) == Shortened(0)
    await publish(js, 11)
    assert await last_place(js) == empty + 11


async def test_a_restored_stream_holds_all_facts_in_order_and_consumers_go_on_where_they_were(
    js: JetStreamContext, archive: Archive, bus_settings: CommonSettings
) -> None:
    [config] = [each for each in topology.streams(bus_settings) if each.name == EVENTS_STREAM]
    await js.update_stream(replace(config, duplicate_window=0.1))
    empty = await last_place(js)
    await publish(js, 1, **{"Nats-Msg-Id": "twice", "traceparent": "00-1"})
    await asyncio.sleep(0.3)
    await publish(js, 1, **{"Nats-Msg-Id": "twice"})
    await publish(js, *range(2, 9))
    # A message that was deleted leaves a gap.
    await js.delete_msg(EVENTS_STREAM, empty + 4)
    for consumer in (TRAINER, GATEWAY):
        await handle(js, consumer, 4)
    assert (await shorten_all(js, archive)).removed == 4
    await publish(js, 9)
    await handle(js, TRAINER, 2)

    assert await restore(js, archive, bus_settings, say) == 9
    assert await jobs_in(js) == names(1, 1, 2, 4, 5, 6, 7, 8, 9)
    state = (await js.stream_info(EVENTS_STREAM)).state
    assert (state.first_seq, state.last_seq) == (empty + 2, empty + 10)
    first = await js.get_msg(EVENTS_STREAM, seq=state.first_seq)
    assert (first.headers or {})["traceparent"] == "00-1"
    assert archive.segments() == []
    await topology.declare(js, bus_settings)
    assert await handle(js, TRAINER, 9) == names(7, 8, 9)
    assert await handle(js, GATEWAY, 9) == names(5, 6, 7, 8, 9)
    for consumer in CONSUMERS:
        if consumer.event is not TrainingCancelRequested:
            assert (await js.consumer_info(consumer.stream, consumer.name)).num_pending == 0
    assert (await shorten_all(js, archive)).removed == 9


async def test_an_interrupted_restore_goes_on(
    js: JetStreamContext, archive: Archive, bus_settings: CommonSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(js, *range(1, 9))
    for consumer in (TRAINER, GATEWAY):
        await handle(js, consumer, 5)
    await shorten_all(js, archive)
    published, send = [], rebuilding._publish

    async def interrupted(js: JetStreamContext, part: list[ArchivedEvent]) -> None:
        if published:
            raise TimeoutError
        published.extend(part)
        await send(js, part)

    monkeypatch.setattr(rebuilding, "_publish", interrupted)
    with pytest.raises(TimeoutError):
        await restore(js, archive, bus_settings, say)
    with pytest.raises(ArchiveError, match="a restore was interrupted"):
        await shorten_all(js, archive)
    monkeypatch.setattr(rebuilding, "_publish", send)
    assert await restore(js, archive, bus_settings, say) == 8
    assert await jobs_in(js) == names(*range(1, 9))
    assert await handle(js, GATEWAY, 9) == names(6, 7, 8)


async def test_a_stream_that_cannot_hold_the_archive_is_left_as_it_is(
    js: JetStreamContext, archive: Archive, bus_settings: CommonSettings
) -> None:
    await publish(js, *range(1, 6))
    for consumer in (TRAINER, GATEWAY):
        await handle(js, consumer, 5)
    await shorten_all(js, archive)
    await publish(js, 6)
    small = bus_settings.model_copy(update={"event_max_bytes": 1000})
    with pytest.raises(ArchiveError, match="raise ASSAY_EVENT_MAX_BYTES"):
        await restore(js, archive, small, say)
    assert await jobs_in(js) == ["6"]
    assert len(archive.segments()) == 2


def test_a_missing_artifact_folder_is_an_error_and_no_empty_archive(tmp_path: Path) -> None:
    with pytest.raises(ArtifactStoreAway, match="mount its file system"):
        Archive(str(tmp_path / "not-mounted" / "events")).segments()


def test_an_archived_event_is_read_as_it_was_written(archive: Archive) -> None:
    headers: dict[str, Any] = {"traceparent": "00-1"}
    events = [ArchivedEvent(7, "2026-11-29T10:00:00+00:00", "eval.done", "名\u2028\n".encode() + b"\xff", headers)]
    assert list(archive.read(archive.write(events))) == events
