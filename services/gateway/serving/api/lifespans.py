"""Readiness of the engines, and the loops that keep their state."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from litestar import Litestar

from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.service.reconciler import Reconciler
from services.gateway.serving.service.serving_follower import ServingFollower
from shared.outages import Check
from shared.web import Lifespan, Unavailable, beside


def engines_ready(fleet: Fleet) -> Check:
    """A check that every pool has an engine that answers."""

    async def check() -> None:
        if unready := fleet.unready():
            raise Unavailable("; ".join(f"pool {base}: {why}" for base, why in unready.items()))

    return check


def reconciling(reconciler: Reconciler) -> Lifespan:
    """The reconcile loop; the names are known before the first request."""

    @asynccontextmanager
    async def run(_app: Litestar) -> AsyncGenerator[None]:
        await reconciler.pools.seed()
        await reconciler.pools.arrange()
        await reconciler.directory.refresh()
        try:
            async with beside(reconciler.run()):
                yield
        finally:
            await reconciler.swaps.end()

    return run


def following(follower: ServingFollower) -> Lifespan:
    """The loop of a gateway that only reads what other gateways serve."""

    @asynccontextmanager
    async def run(_app: Litestar) -> AsyncGenerator[None]:
        await follower.read_once()
        try:
            async with beside(follower.run()):
                yield
        finally:
            follower.leases.end()

    return run
