"""The relay that publishes what was saved with the state, at least once and in each aggregate's order."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from shared import telemetry
from shared.cloudevents import Envelope
from shared.store import Store

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class Outbox:
    """Publishes waiting events as soon as they are saved, and looks every `sweep_s` seconds for those a crash left."""

    store: Store
    publish: Callable[[Envelope], Awaitable[None]]
    sweep_s: float = 2.0

    async def run(self) -> None:
        """Relay until cancelled; an outage of NATS or MongoDB only delays it."""
        while True:
            self.store.unsent.clear()
            try:
                await self.relay()
            except Exception as error:
                _log.warning("events wait in the outbox", error=str(error))
                await asyncio.sleep(self.sweep_s)
                continue
            try:
                await asyncio.wait_for(self.store.unsent.wait(), self.sweep_s)
            except TimeoutError:
                continue

    async def relay(self) -> None:
        """Publish everything that waits now."""
        for collection, entity_id, envelopes in await self.store.unsent_events():
            for envelope in envelopes:
                await self.publish(envelope)
            await self.store.mark_sent(collection, entity_id, {envelope.id for envelope in envelopes})
