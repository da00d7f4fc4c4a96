"""Publish events and read the stream, without a service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats

from shared.settings import CommonSettings


@asynccontextmanager
async def jetstream(settings: CommonSettings) -> AsyncIterator[nats.js.JetStreamContext]:
    connection = await nats.connect(settings.nats_url)
    yield connection.jetstream()
    await connection.close()
