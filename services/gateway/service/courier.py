"""The courier: makes a delivery of each event that an endpoint wants, and carries it there, as often as need be."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from services.gateway.domain import webhooks
from services.gateway.ports import (
    Caller,
    CursorView,
    Deliveries,
    DeliveryView,
    EventStream,
    Undeliverable,
    Views,
    WebhookView,
)
from services.gateway.service.following import Owners
from shared import telemetry
from shared.cloudevents import Envelope
from shared.security import Key

CURSOR = "webhooks"
LEASE_S = 60.0
AT_ONCE = 8
# A crash makes this many events be looked at again; their deliveries are there by then.
REMEMBER_EVERY = 50
_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class Courier:
    """Several gateways do this side by side: a delivery has the same id in each, and one claims it for a try."""

    stream: EventStream
    views: Views[WebhookView]
    deliveries: Deliveries
    cursors: Views[CursorView]
    caller: Caller
    owners: Owners
    key_of: Callable[[str], Key | None]
    delays_s: Sequence[float]
    every_s: float = 0.5

    async def run(self) -> None:
        """Both until cancelled; an outage of NATS or MongoDB only delays them."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_again_and_again(self._take_in, "webhooks hear nothing now"))
            group.create_task(_again_and_again(self._carry, "webhooks are not called now"))

    async def note(self, envelope: Envelope) -> None:
        """Make the deliveries of one event, once."""
        kinds = webhooks.kinds(envelope)
        for hook in await self.views.where(removed=False):
            for kind in kinds:
                if kind in hook.event_types and envelope.time.timestamp() >= hook.at:
                    await self._deliver(hook, kind, envelope)

    async def carry(self) -> int:
        """Try what is due; how many that were."""
        due = await self.deliveries.due(time.time(), AT_ONCE)
        await asyncio.gather(*map(self._try, due))
        return len(due)

    async def _take_in(self) -> None:
        cursor = await self.cursors.get(CURSOR)
        place = remembered = cursor.place if cursor else await self.stream.newest()
        async for found in self.stream.follow((), min(place, await self.stream.newest())):
            if found is not None:
                place = found[0]
                await self.note(found[1])
            if place - remembered >= REMEMBER_EVERY or (found is None and place > remembered):
                await self._remember(place)
                remembered = place

    async def _remember(self, place: int) -> None:
        empty = CursorView(id=CURSOR, place=0)
        # Another gateway may be ahead.
        await self.cursors.settle(
            empty, lambda known: (known.model_copy(update={"place": place}), []) if known.place < place else None
        )

    async def _deliver(self, hook: WebhookView, kind: str, envelope: Envelope) -> None:
        key = self.key_of(hook.owner)
        # A key that was taken away hears no more, whatever it once asked for.
        if key is None or key.refusal(key.sha256, time.time()) or not await self.owners.may_see(envelope, key):
            return
        now, event_id = time.time(), webhooks.event_id(envelope)
        delivery = DeliveryView(
            id=f"{hook.id}.{event_id}.{kind}",
            at=now,
            webhook_id=hook.id,
            owner=hook.owner,
            event_id=event_id,
            event_type=kind,
            payload=webhooks.payload(kind, envelope),
            due_at=now,
        )
        await self.deliveries.create(delivery)

    async def _carry(self) -> None:
        while True:
            if not await self.carry():
                await asyncio.sleep(self.every_s)

    async def _try(self, delivery: DeliveryView) -> None:
        now = time.time()
        mine = False

        def claim(known: DeliveryView) -> tuple[DeliveryView, list[Any]] | None:
            nonlocal mine
            changed = webhooks.claimed(known, now, LEASE_S)
            mine = changed is not None
            return None if changed is None else (changed, [])

        await self.deliveries.change(delivery.id, claim)
        if not mine:
            return
        status, reason = await self._call(delivery)
        await self.deliveries.change(
            delivery.id, lambda known: (webhooks.tried(known, status, reason, self.delays_s, time.time()), [])
        )
        if reason:
            _log.warning("webhook not delivered", delivery=delivery.id, reason=reason)

    async def _call(self, delivery: DeliveryView) -> tuple[int | None, str | None]:
        """The status, and why it is no success."""
        hook, now = await self.views.get(delivery.webhook_id), time.time()
        if hook is None or hook.removed:
            return None, "the endpoint was taken away"
        headers = webhooks.headers(delivery.event_id, delivery.payload, hook.secrets(now), now)
        try:
            status = await self.caller.post(hook.url, headers, delivery.payload)
        except Undeliverable as error:
            return None, str(error)
        return status, None if 200 <= status < 300 else f"the endpoint answered with {status}"


async def _again_and_again(work: Callable[[], Awaitable[None]], trouble: str) -> None:
    while True:
        try:
            await work()
        except Exception as error:
            _log.warning(trouble, error=f"{type(error).__name__}: {error}")
        await asyncio.sleep(1)
