"""What runs as long as a service's HTTP application: connections, outbox relay, shared keys."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from litestar import Litestar

from shared import cancellation, telemetry
from shared.bus import Bus
from shared.keys import SharedKeys
from shared.outages import Check, Outages
from shared.outbox import Outbox
from shared.retention import Retention, RetentionSweep, SweepTurn
from shared.sessions import NatsSessionStore, Sessions
from shared.store import Store

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]
# An event can wait for these; engines have their own ways of being away.
_STORES = ("mongo", "nats", "artifacts")
_log = telemetry.logger(__name__)


def connections(store: Store, bus: Bus, *, inbox_days: float, retentions: Sequence[Retention] = ()) -> Lifespan:
    """The lifespan of every service: indexes, outbox relay, shared keys, and the bus, which stops first.

    Handled events are known for `inbox_days`; `retentions` say how long other documents are kept.
    """
    sweep = RetentionSweep(store, store.collection("sweeps", SweepTurn, indexes=[]), inbox_days, retentions)

    @asynccontextmanager
    async def run(app: Litestar) -> AsyncGenerator[None]:
        keys = SharedKeys(bus, app.state.keyring)
        bus.outages = Outages({name: check for name, check in app.state.checks.items() if name in _STORES})
        app.state.sessions = Sessions(NatsSessionStore(bus), app.state.keyring)
        await _until_ready(store.prepare, "mongo")
        await _until_ready(bus.start, "nats")
        await _until_ready(bus.check, "topology")
        await _until_ready(keys.catch_up, "keys")
        background = [asyncio.create_task(work) for work in (Outbox(store, bus).run(), keys.follow(), sweep.run())]
        try:
            yield
        finally:
            await bus.stop()
            await cancellation.end(background)
            store.close()

    return run


async def _until_ready(start: Check, what: str) -> None:
    while True:
        try:
            await start()
            return
        except Exception as error:
            _log.warning("waiting for a dependency", dependency=what, error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(1)
