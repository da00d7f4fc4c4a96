"""Ends background tasks for certain."""

import asyncio
from collections.abc import Iterable

_AGAIN_S = 1.0


async def end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks until all have ended, whatever their outcome.

    Once is not enough: `asyncio.wait_for` of Python 3.11, which the NATS client uses, loses a cancellation that comes
    as its own wait ends.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_AGAIN_S)
