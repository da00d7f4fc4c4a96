"""Dispatches events to webhook endpoints, with retries."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from services.gateway.events.domain import webhook_delivery, webhook_payload
from services.gateway.events.domain.stream_position import StreamPlace, StreamPosition
from services.gateway.events.domain.webhook import Webhook
from services.gateway.events.domain.webhook_delivery import WebhookDelivery
from services.gateway.events.ports import EventStream, Undeliverable, WebhookClient
from services.gateway.events.service.event_owners import EventOwners
from shared import telemetry
from shared.cloudevents import Envelope, EventData
from shared.security import Key
from shared.store import Collection

POSITION = "webhooks"
LEASE_S = 60.0
MAX_CONCURRENT = 8
# After a crash so many events are read again; their deliveries exist by then and are not created twice.
SAVE_POSITION_EVERY = 50
_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class WebhookDispatcher:
    """Several gateways dispatch side by side: a delivery has the same id in each, and one claims it for a try."""

    stream: EventStream
    webhooks: Collection[Webhook]
    deliveries: Collection[WebhookDelivery]
    positions: Collection[StreamPosition]
    client: WebhookClient
    owners: EventOwners
    key_of: Callable[[str], Key | None]
    delays_s: Sequence[float]
    every_s: float = 0.5

    async def run_enqueuing(self) -> None:
        """Enqueue deliveries until cancelled; an outage of NATS or MongoDB only delays them."""
        await _repeat(self._follow, "cannot read events for webhooks; will be retried")

    async def run_delivering(self) -> None:
        """Deliver until cancelled; an outage of MongoDB only delays it."""
        await _repeat(self._deliver, "cannot deliver webhooks; will be retried")

    async def enqueue(self, envelope: Envelope) -> None:
        """Create the deliveries of one event, once."""
        types = webhook_payload.types_of(envelope)
        for webhook in await self.webhooks.find(removed=False):
            for event_type in types:
                if event_type in webhook.event_types and envelope.time.timestamp() >= webhook.at:
                    await self._enqueue_for(webhook, event_type, envelope)

    async def deliver_due(self) -> int:
        """Try the deliveries that are due; returns their number."""
        due = await self.deliveries.find(
            status="pending", due_at__lte=time.time(), oldest_first="due_at", limit=MAX_CONCURRENT
        )
        await asyncio.gather(*map(self._try, due))
        return len(due)

    async def _follow(self) -> None:
        known = await self.positions.get(POSITION)
        newest = await self.stream.newest()
        if known is None:
            # Otherwise an outage before the first save would make it begin later.
            await self._save_position(newest)
        place = saved = known.read.at_most(newest) if known else newest
        async for found in self.stream.follow((), place):
            if found is not None:
                place = found[0]
                await self.enqueue(found[1])
            read = place.beyond(saved)
            if read >= SAVE_POSITION_EVERY or (found is None and read):
                await self._save_position(place)
                saved = place

    async def _save_position(self, read: StreamPlace) -> None:
        def decide(known: StreamPosition) -> tuple[StreamPosition, list[EventData]] | None:
            # Another gateway may have read further.
            place, progress = max(read.facts, known.place), max(read.progress, known.progress)
            further = known.model_copy(update={"place": place, "progress": progress})
            return None if further == known else (further, [])

        await self.positions.upsert(StreamPosition(id=POSITION), decide)

    async def _enqueue_for(self, webhook: Webhook, event_type: str, envelope: Envelope) -> None:
        key = self.key_of(webhook.owner)
        # A key that was deleted, disabled or has expired gets no more events.
        if key is None or key.refusal(key.sha256, time.time()) or not await self.owners.may_see(envelope, key):
            return
        now, event_id = time.time(), webhook_payload.event_id(envelope)
        await self.deliveries.create(
            WebhookDelivery(
                id=f"{webhook.id}.{event_id}.{event_type}",
                at=now,
                webhook_id=webhook.id,
                owner=webhook.owner,
                event_id=event_id,
                event_type=event_type,
                payload=webhook_payload.body(event_type, envelope),
                due_at=now,
            )
        )

    async def _deliver(self) -> None:
        while True:
            if not await self.deliver_due():
                await asyncio.sleep(self.every_s)

    async def _try(self, due: WebhookDelivery) -> None:
        now = time.time()
        is_claimed = False

        def claim(known: WebhookDelivery) -> tuple[WebhookDelivery, list[Any]] | None:
            nonlocal is_claimed
            changed = webhook_delivery.claimed(known, now, LEASE_S)
            is_claimed = changed is not None
            return None if changed is None else (changed, [])

        await self.deliveries.change(due.id, claim)
        if not is_claimed:
            return
        status, reason = await self._call(due)
        await self.deliveries.change(
            due.id, lambda known: (webhook_delivery.tried(known, status, reason, self.delays_s, time.time()), [])
        )
        if reason:
            _log.warning("webhook not delivered", delivery=due.id, reason=reason)

    async def _call(self, due: WebhookDelivery) -> tuple[int | None, str | None]:
        """The status, and the reason of a failure."""
        webhook, now = await self.webhooks.get(due.webhook_id), time.time()
        if webhook is None or webhook.removed:
            return None, "the endpoint was deleted"
        headers = webhook_payload.headers(due.event_id, due.payload, webhook.secrets(now), now)
        try:
            status = await self.client.post(webhook.url, headers, due.payload)
        except Undeliverable as error:
            return None, str(error)
        return status, None if 200 <= status < 300 else f"the endpoint answered with {status}"


async def _repeat(work: Callable[[], Awaitable[None]], warning: str) -> None:
    while True:
        try:
            await work()
        except Exception as error:
            _log.warning(warning, error=f"{type(error).__name__}: {error}")
        await asyncio.sleep(1)
