"""Makes the stream of facts anew from the archive and what the stream holds, so that a replay reads all of it."""

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from nats.js import JetStreamContext
from nats.js.api import DeliverPolicy, StreamConfig
from nats.js.errors import NotFoundError

from shared import topology
from shared.archive.segments import Archive, ArchivedEvent, ArchiveError, Rebuilding
from shared.archive.shortening import positions, write_up_to
from shared.consumers import CONSUMERS, EVENTS_STREAM, consumer_config
from shared.jetstream_readiness import when_ready
from shared.settings import CommonSettings

_BATCH = 500
_TIMEOUT_S = 30.0
# What the server stores with each message, rounded up.
_OVERHEAD_BYTES = 64


async def restore(js: JetStreamContext, archive: Archive, settings: CommonSettings, say: Callable[[str], None]) -> int:
    """Put all archived events before those of the stream; returns how many the stream holds then.

    The services must be stopped. Consumers keep what they have handled, and the last event keeps its place. The archive
    is empty afterwards. What was interrupted goes on when it is called again.
    """
    notes = archive.rebuilding()
    if notes is None:
        if not archive.segments():
            raise ArchiveError("the archive is empty: the stream holds all events")
        _check_size(archive, await _stored_bytes(js), settings)
        last = (await js.stream_info(EVENTS_STREAM)).state.last_seq
        places = await positions(js)
        await write_up_to(js, archive, last, say)
        notes = Rebuilding(positions=places, last=last)
        archive.note_rebuilding(notes)
    if not notes.done:
        await _rebuild(js, archive, settings, notes.last, notes.positions, say)
        archive.note_rebuilding(notes.model_copy(update={"done": True}))
    for segment in archive.segments():
        archive.remove(segment)
    archive.forget_rebuilding()
    return (await js.stream_info(EVENTS_STREAM)).state.messages


async def _rebuild(
    js: JetStreamContext,
    archive: Archive,
    settings: CommonSettings,
    last: int,
    places: Mapping[str, int],
    say: Callable[[str], None],
) -> None:
    old_places = [event.place for event in _events(archive)]
    count = len(old_places)
    # Deleted messages leave gaps, which are not made again: places only grow, so nobody skips an event.
    first = last - count + 1
    try:
        await js.delete_stream(EVENTS_STREAM)
    except NotFoundError:
        say("the stream is missing, as an interrupted restore leaves it")
    await js.add_stream(replace(_config(settings), first_seq=first))
    part: list[ArchivedEvent] = []
    for place, event in enumerate(_events(archive), first):
        part.append(event)
        if len(part) == _BATCH or place == last:
            await _publish(js, part)
            part = []
            if (place - first + 1) % (40 * _BATCH) == 0:
                say(f"{place - first + 1:,} of {count:,} events are in the stream again")
    await _check_complete(js, count, last)
    for consumer in CONSUMERS:
        if consumer.name in places:
            start = first + bisect_left(old_places, places[consumer.name])
            begin = {"deliver_policy": DeliverPolicy.BY_START_SEQUENCE, "opt_start_seq": start}
            config = replace(consumer_config(consumer), **begin)
            await when_ready(partial(js.add_consumer, EVENTS_STREAM, config))


async def _publish(js: JetStreamContext, part: Sequence[ArchivedEvent]) -> None:
    """Publish in order, and wait until the server has stored all."""
    sent = [
        await js.publish_async(event.subject, event.data, stream=EVENTS_STREAM, headers=_headers(event))
        for event in part
    ]
    await asyncio.wait_for(asyncio.gather(*sent), _TIMEOUT_S)


def _headers(event: ArchivedEvent) -> dict[str, str]:
    """An event that was published twice, long apart, has one id; the server would now drop the second."""
    return {**event.headers, "Nats-Msg-Id": f"archived-{event.place}"}


async def _check_complete(js: JetStreamContext, count: int, last: int) -> None:
    state = (await js.stream_info(EVENTS_STREAM)).state
    if (state.messages, state.last_seq) != (count, last):
        raise ArchiveError(
            f"the stream holds {state.messages} events of {count}: run `python -m shared.archive restore` again"
        )


def _check_size(archive: Archive, stored: int, settings: CommonSettings) -> None:
    needed = stored + sum(len(event.data) + len(str(event.headers)) + _OVERHEAD_BYTES for event in _events(archive))
    if needed > settings.event_max_bytes:
        raise ArchiveError(
            f"the events need about {needed} bytes, and the stream may hold {settings.event_max_bytes}: "
            "raise ASSAY_EVENT_MAX_BYTES, and run the command again"
        )


async def _stored_bytes(js: JetStreamContext) -> int:
    return (await js.stream_info(EVENTS_STREAM)).state.bytes


def _config(settings: CommonSettings) -> StreamConfig:
    return next(stream for stream in topology.streams(settings) if stream.name == EVENTS_STREAM)


def _events(archive: Archive) -> Iterator[ArchivedEvent]:
    for segment in archive.segments():
        yield from archive.read(segment)
