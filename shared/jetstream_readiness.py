"""Waiting until JetStream answers: a cluster that starts, or that has lost a server, first elects leaders."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from nats.errors import ConnectionClosedError, NoServersError
from nats.js.errors import APIError, NoStreamResponseError, ServiceUnavailableError

from shared import telemetry

T = TypeVar("T")
READY_S = 60.0
_NOT_READY = (
    TimeoutError,
    OSError,
    ConnectionClosedError,
    NoServersError,
    NoStreamResponseError,
    ServiceUnavailableError,
)
_TOO_FEW_SERVERS = 10005
"""The error of a cluster whose servers have not all met yet."""
_log = telemetry.logger(__name__)


async def when_ready(action: Callable[[], Awaitable[T]], *, wait_s: float = READY_S, pause_s: float = 1.0) -> T:
    """The result of an action that may be repeated; it is, for up to `wait_s` seconds, while JetStream is not ready.

    Raises the action's last error after that, and every other error at once.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return await action()
        except (*_NOT_READY, APIError) as error:
            if not _passes(error) or time.monotonic() > deadline:
                raise
            _log.warning("JetStream is not ready; will be retried", error=f"{type(error).__name__}: {error}")
        await asyncio.sleep(pause_s)


def _passes(error: Exception) -> bool:
    return isinstance(error, _NOT_READY) or getattr(error, "err_code", None) == _TOO_FEW_SERVERS
