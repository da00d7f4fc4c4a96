"""What the operator's commands share: their connection to NATS, and one-line errors."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import ServiceUnavailableError

from shared import telemetry
from shared.nats_replies import connection_options
from shared.settings import CommonSettings

T = TypeVar("T")


@asynccontextmanager
async def connected(settings: CommonSettings, user: str, attempts: int = 3) -> AsyncGenerator[Client]:
    """A connection to NATS, closed at the end; raises an error of NATS after `attempts` failed attempts."""
    options = {"max_reconnect_attempts": attempts, **connection_options(user)}
    client = await nats.connect(settings.nats_url.split(","), **options)
    try:
        yield client
    finally:
        await client.close()


def result_of(work: Coroutine[Any, Any, T], *refusals: type[Exception]) -> T:
    """Run a command and return its result. One of `refusals`, or an error of NATS, ends the program with status 1."""
    telemetry.configure_command()
    try:
        return asyncio.run(work)
    except ServiceUnavailableError as error:
        sys.exit(f"JetStream is not ready; it may be electing leaders. Try again in a minute. ({error})")
    except (*refusals, NatsError) as error:
        sys.exit(str(error))
