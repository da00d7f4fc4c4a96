"""The loop that writes the counts of keys."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from litestar import Litestar

from services.gateway.access.service.usage_ledger import UsageLedger
from shared.store import StoreUnreachable
from shared.web import Lifespan, beside


def flushing(ledger: UsageLedger) -> Lifespan:
    """Writes the counts of this gateway, and reads those of the others, in a loop."""

    @asynccontextmanager
    async def run(_app: Litestar) -> AsyncGenerator[None]:
        await ledger.begin()
        try:
            async with beside(ledger.run()):
                yield
        finally:
            # The last counts; they are lost if MongoDB is away.
            with suppress(*StoreUnreachable):
                await ledger.flush()
                await ledger.write_usage()

    return run
