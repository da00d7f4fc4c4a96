"""Moves old facts from their stream into the archive."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime

from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeout
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from shared.archive.segments import Archive, ArchivedEvent, ArchiveError
from shared.consumers import CONSUMERS, EVENTS_STREAM

MOST_IN_A_FILE = 20_000
_BATCH = 500
_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Shortened:
    """How many events were removed from the stream; `held_back_by` is the consumer that has not handled the next."""

    removed: int
    held_back_by: str = ""


async def shorten(js: JetStreamContext, archive: Archive, before: datetime, say: Callable[[str], None]) -> Shortened:
    """Archive and remove the facts that were stored `before` a time and that every consumer has handled."""
    if archive.rebuilding() is not None:
        raise ArchiveError("a restore was interrupted: run `python -m shared.archive restore` again first")
    state = (await js.stream_info(EVENTS_STREAM)).state
    handled, slowest = await _handled(js, state.last_seq)
    last = await write_up_to(js, archive, handled, say, before)
    if last < state.first_seq:
        return Shortened(0, slowest)
    await js.purge_stream(EVENTS_STREAM, seq=last + 1)
    left = (await js.stream_info(EVENTS_STREAM)).state
    return Shortened(state.messages - left.messages, slowest if last == handled else "")


async def write_up_to(
    js: JetStreamContext, archive: Archive, last: int, say: Callable[[str], None], before: datetime | None = None
) -> int:
    """Archive the events up to the place `last` that are not archived yet; returns the last archived place."""
    segments = archive.segments()
    done = segments[-1].last if segments else 0
    part: list[ArchivedEvent] = []

    def write() -> int:
        say(f"{len(part):,} events archived, the last of {part[-1].stored_at[:16]}: {archive.write(part).name}")
        return part[-1].place

    async with aclosing(_messages(js, done + 1, last)) as messages:
        async for message in messages:
            if before is not None and message.metadata.timestamp >= before:
                break
            part.append(_event(message))
            if len(part) == MOST_IN_A_FILE:
                done = write()
                part = []
    return write() if part else done


async def positions(js: JetStreamContext, last: int) -> dict[str, int]:
    """For each consumer of facts the place of the first event that it may not have handled."""
    found: dict[str, int] = {}
    for consumer in CONSUMERS:
        if consumer.stream == EVENTS_STREAM:
            try:
                info = await js.consumer_info(consumer.stream, consumer.name)
            except NotFoundError:
                raise ArchiveError(f"{consumer.name} is missing: run `python -m shared.topology` first") from None
            waits = info.num_pending or info.num_ack_pending
            floor = info.ack_floor.stream_seq if info.ack_floor else 0
            found[consumer.name] = floor + 1 if waits else last + 1
    return found


async def _handled(js: JetStreamContext, last: int) -> tuple[int, str]:
    """The place up to which every consumer has handled all, and the consumer that is furthest behind."""
    slowest, place = min((await positions(js, last)).items(), key=lambda found: found[1])
    return place - 1, slowest if place <= last else ""


async def _messages(js: JetStreamContext, first: int, last: int) -> AsyncGenerator[Msg]:
    """The messages of the stream between two places, by a consumer that exists as long as it is read."""
    state = (await js.stream_info(EVENTS_STREAM)).state
    first, last = max(first, state.first_seq), min(last, state.last_seq)
    if first > last:
        return
    config = ConsumerConfig(
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=first,
        ack_policy=AckPolicy.NONE,
        inactive_threshold=60.0,
        mem_storage=True,
        num_replicas=1,
    )
    made = await js.add_consumer(EVENTS_STREAM, config)
    subscription = await js.pull_subscribe_bind(made.name, EVENTS_STREAM)
    try:
        while True:
            for message in await subscription.fetch(_BATCH, timeout=_TIMEOUT_S):
                if message.metadata.sequence.stream > last:
                    return
                yield message
                if message.metadata.sequence.stream == last:
                    return
    except NatsTimeout:
        raise ArchiveError("NATS gave no events for some seconds; run the command again") from None
    finally:
        with suppress(Exception):
            await subscription.unsubscribe()


def _event(message: Msg) -> ArchivedEvent:
    found = message.metadata
    headers = dict(message.headers or {})
    return ArchivedEvent(found.sequence.stream, found.timestamp.isoformat(), message.subject, message.data, headers)
