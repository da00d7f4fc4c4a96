"""The relay that publishes the events saved with the state: at least once, in the order of each aggregate."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from nats.js.errors import Error as JetStreamError
from prometheus_client import Counter

from shared import telemetry
from shared.bus import OUTAGES, UnpublishableError
from shared.cloudevents import Envelope
from shared.store import BaseStore, StoreUnreachable

PARKED = Counter("assay_outbox_parked", "Events that can never be published", ["service", "type"])
_log = telemetry.logger(__name__)


class Publisher(Protocol):
    """Where events are published; `shared.bus.Bus`."""

    async def publish(self, envelope: Envelope) -> None: ...

    async def report_unpublishable(self, envelope: Envelope, error: Exception) -> None: ...


@dataclass(frozen=True)
class Outbox:
    """Publishes waiting events when they are saved, and every `sweep_s` seconds those that a crash left.

    An aggregate whose event is refused does not hold up the others. An event that can never be published is parked: a
    document in the collection `parked`, a dead letter, the metric `assay_outbox_parked_total` and a log line.
    """

    store: BaseStore
    publisher: Publisher
    sweep_s: float = 2.0

    async def run(self) -> None:
        """Relay until cancelled; an outage of NATS or MongoDB only delays it."""
        while True:
            self.store.unsent.clear()
            try:
                await self.relay()
            except Exception as error:
                _log.warning("events not published; will be retried", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(self.sweep_s)
                continue
            try:
                async with asyncio.timeout(self.sweep_s):
                    await self.store.unsent.wait()
            except TimeoutError:
                continue

    async def relay(self) -> None:
        """Publish everything that waits now; raises an error that concerns all aggregates."""
        for collection, entity_id, envelopes in await self.store.unsent_events():
            try:
                await self._relay(collection, entity_id, envelopes)
            except (*OUTAGES, *StoreUnreachable):
                raise
            except Exception as error:
                about = telemetry.described(error, JetStreamError)
                _log.warning("events of an aggregate wait", collection=collection, id=entity_id, **about)

    async def _relay(self, collection: str, entity_id: str, envelopes: Sequence[Envelope]) -> None:
        for envelope in envelopes:
            try:
                await self.publisher.publish(envelope)
            except UnpublishableError as error:
                await self._park(envelope, error)
        await self.store.mark_sent(collection, entity_id, {envelope.id for envelope in envelopes})

    async def _park(self, envelope: Envelope, error: Exception) -> None:
        await self.store.park(envelope, str(error))
        await self.publisher.report_unpublishable(envelope, error)
        PARKED.labels(self.store.service, envelope.type).inc()
        _log.error("parked", event_type=envelope.type, event_id=envelope.id, about=envelope.subject, error=str(error))
