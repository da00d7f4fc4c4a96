"""What runs beside the requests: begun before the first of them, ended after the last."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from litestar import Litestar

from services.gateway.domain.fleet import Fleet
from services.gateway.service.deployments import Deployments
from services.gateway.service.ledger import Ledger
from shared import web
from shared.store import StoreUnreachable
from shared.web import Lifespan, Unavailable


def ready(fleet: Fleet) -> web.Check:
    """A check that every pool has an engine that answers."""

    async def check() -> None:
        if unready := fleet.unready():
            raise Unavailable("; ".join(f"pool {base}: {why}" for base, why in unready.items()))

    return check


def reconciling(deployments: Deployments) -> Lifespan:
    """The loop that makes what is served like what should be."""

    @asynccontextmanager
    async def run(_app: Litestar) -> AsyncGenerator[None]:
        # Before the first request, so that no name is unknown for a moment after a restart.
        await deployments.pools.seed()
        await deployments.pools.arrange()
        await deployments.remember()
        try:
            async with _beside(deployments.run()):
                yield
        finally:
            await deployments.swaps.end()

    return run


def background(work: Callable[[], Coroutine[Any, Any, None]]) -> Lifespan:
    """Work without end."""

    @asynccontextmanager
    async def run(_app: Litestar) -> AsyncGenerator[None]:
        async with _beside(work()):
            yield

    return run


def settling(ledger: Ledger) -> Lifespan:
    """The loop that settles what keys did."""

    @asynccontextmanager
    async def run(_app: Litestar) -> AsyncGenerator[None]:
        await ledger.begin()
        try:
            async with _beside(ledger.run()):
                yield
        finally:
            # What was counted last; without MongoDB it is lost.
            with suppress(*StoreUnreachable):
                await ledger.settle()
                await ledger.write_usage()

    return run


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Work that goes on beside the block, and ends with it."""
    loop = asyncio.create_task(work)
    try:
        yield
    finally:
        loop.cancel()
        with suppress(asyncio.CancelledError):
            await loop
