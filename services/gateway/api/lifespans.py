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
        loop = asyncio.create_task(deployments.run())
        try:
            yield
        finally:
            await _ended(loop)
            await deployments.swaps.end()

    return run


def background(work: Callable[[], Coroutine[Any, Any, None]]) -> Lifespan:
    """Work without end."""

    @asynccontextmanager
    async def run(_app: Litestar) -> AsyncGenerator[None]:
        loop = asyncio.create_task(work())
        try:
            yield
        finally:
            await _ended(loop)

    return run


def settling(ledger: Ledger) -> Lifespan:
    """The loop that settles what keys did."""

    @asynccontextmanager
    async def run(_app: Litestar) -> AsyncGenerator[None]:
        await ledger.begin()
        loop = asyncio.create_task(ledger.run())
        try:
            yield
        finally:
            await _ended(loop)
            # What was counted last; without MongoDB it is lost.
            with suppress(*StoreUnreachable):
                await ledger.settle()
                await ledger.write_usage()

    return run


async def _ended(loop: "asyncio.Task[None]") -> None:
    loop.cancel()
    with suppress(asyncio.CancelledError):
        await loop
