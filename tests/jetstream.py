"""Publish events and read the stream, without a service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
from nats.js.api import RawStreamMsg

from shared.consumers import EVENTS_STREAM, PROGRESS_STREAM
from shared.settings import CommonSettings


@asynccontextmanager
async def jetstream(settings: CommonSettings) -> AsyncIterator[nats.js.JetStreamContext]:
    connection = await nats.connect(settings.nats_url.split(","))
    yield connection.jetstream()
    await connection.close()


async def stored_messages(js: nats.js.JetStreamContext) -> list[RawStreamMsg]:
    """Every message that is an event: facts and requests, then progress, each the oldest first."""
    messages: list[RawStreamMsg] = []
    for stream in (EVENTS_STREAM, PROGRESS_STREAM):
        last = (await js.stream_info(stream)).state.last_seq
        messages += [await js.get_msg(stream, sequence) for sequence in range(1, last + 1)]
    return messages
