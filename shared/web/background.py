"""What runs beside the requests: begun before the first of them, ended after the last."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar

from shared import cancellation
from shared.web.lifespan import Lifespan


def background(work: Callable[[], Coroutine[Any, Any, None]]) -> Lifespan:
    """Run `work` in the background until the application stops."""

    @asynccontextmanager
    async def run(_app: Litestar) -> AsyncGenerator[None]:
        async with beside(work()):
            yield

    return run


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Work that goes on beside the block, and ends with it."""
    loop = asyncio.create_task(work)
    try:
        yield
    finally:
        await cancellation.end([loop])
