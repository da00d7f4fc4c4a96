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
    # A cluster may elect a leader first.
    yield connection.jetstream(timeout=30)
    await connection.close()


async def stored_messages(js: nats.js.JetStreamContext) -> list[RawStreamMsg]:
    """Every message that is an event: facts and requests, then progress, each the oldest first."""
    messages: list[RawStreamMsg] = []
    for stream in (EVENTS_STREAM, PROGRESS_STREAM):
        messages += await _stored(js, stream)
    return messages


async def stored_facts(js: nats.js.JetStreamContext) -> list[RawStreamMsg]:
    """Facts and requests, the oldest first."""
    return await _stored(js, EVENTS_STREAM)


async def _stored(js: nats.js.JetStreamContext, stream: str) -> list[RawStreamMsg]:
    state = (await js.stream_info(stream)).state
    # A stream that was purged begins behind its last message.
    return [await js.get_msg(stream, sequence) for sequence in range(max(state.first_seq, 1), state.last_seq + 1)]
