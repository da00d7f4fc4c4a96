"""Moves old facts from their stream into the archive."""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from shared.archive.segments import Archive, ArchivedEvent, ArchiveError
from shared.consumers import CONSUMERS, EVENTS_STREAM
from shared.stored_messages import handled_up_to, messages

MOST_IN_A_FILE = 20_000


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
    slowest, waiting = min((await positions(js)).items(), key=lambda found: found[1])
    handled, slowest = waiting - 1, slowest if waiting <= state.last_seq else ""
    last = await write_up_to(js, archive, handled, say, before)
    if last < state.first_seq:
        return Shortened(0, slowest)
    held = (await js.stream_info(EVENTS_STREAM)).state.messages
    await js.purge_stream(EVENTS_STREAM, seq=last + 1)
    left = (await js.stream_info(EVENTS_STREAM)).state.messages
    return Shortened(held - left, slowest if last == handled else "")


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

    async with aclosing(messages(js, EVENTS_STREAM, done + 1)) as found:
        async for message in found:
            place, at = message.metadata.sequence.stream, message.metadata.timestamp
            if place > last or (before is not None and at >= before):
                break
            part.append(_event(message))
            if len(part) == MOST_IN_A_FILE:
                done = write()
                part = []
    return write() if part else done


async def positions(js: JetStreamContext) -> dict[str, int]:
    """For each consumer of facts the place of the first event that it may not have handled."""
    found: dict[str, int] = {}
    for consumer in CONSUMERS:
        if consumer.stream == EVENTS_STREAM:
            try:
                found[consumer.name] = await handled_up_to(js, consumer) + 1
            except NotFoundError:
                raise ArchiveError(f"{consumer.name} is missing: run `python -m shared.topology` first") from None
    return found


def _event(message: Msg) -> ArchivedEvent:
    found = message.metadata
    headers = dict(message.headers or {})
    return ArchivedEvent(found.sequence.stream, found.timestamp.isoformat(), message.subject, message.data, headers)
