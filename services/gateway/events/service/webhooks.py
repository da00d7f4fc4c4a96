"""Webhook endpoints: create, change, delete and test."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.gateway.common.domain import ids
from services.gateway.common.domain.errors import BadRequest, Missing
from services.gateway.common.domain.ownership import within_reach
from services.gateway.events.domain import webhook_delivery, webhook_payload
from services.gateway.events.domain.webhook import (
    DAY_S,
    RotationRequest,
    Webhook,
    WebhookChange,
    WebhookRequest,
    new_secret,
)
from services.gateway.events.domain.webhook_delivery import WebhookDelivery
from services.gateway.events.ports import Undeliverable, WebhookClient
from shared.security import Key
from shared.store import Collection, Cursor, Page


@dataclass(frozen=True)
class Webhooks:
    """The use cases over endpoints and their deliveries."""

    views: Collection[Webhook]
    deliveries: Collection[WebhookDelivery]
    client: WebhookClient

    async def create(self, asked: WebhookRequest, key: Key) -> Webhook:
        """A new endpoint with its secret; raises `BadRequest` for a URL that must not be called."""
        await self._check(asked.url)
        now = time.time()
        made = Webhook(
            id=ids.new_id("wh", key.id, None),
            at=now,
            changed_at=now,
            owner=key.person,
            name=asked.name,
            url=asked.url,
            event_types=list(dict.fromkeys(asked.event_types)),
            secret=new_secret(),
        )
        await self.views.create(made)
        return made

    async def page(self, cursor: Cursor, key: Key) -> Page[Webhook]:
        return await self.views.page(cursor, removed=False, **within_reach(key))

    async def get(self, webhook_id: str, key: Key) -> Webhook:
        """An endpoint of this key; raises `Missing` for endpoints of other keys."""
        found = await self.views.get(webhook_id)
        if found is None or found.removed or not key.owns(found.owner):
            raise Missing(f"No such webhook endpoint: {webhook_id}", param="webhook_endpoint_id")
        return found

    async def change(self, webhook_id: str, asked: WebhookChange, key: Key) -> Webhook:
        if asked.url is not None:
            await self._check(asked.url)
        changes = asked.model_dump(exclude_none=True)
        return await self._changed(webhook_id, key, lambda _: changes)

    async def rotate(self, webhook_id: str, asked: RotationRequest, key: Key) -> Webhook:
        """The endpoint with its new secret; on request both secrets sign for a day."""
        secret, until = new_secret(), time.time() + DAY_S

        def decide(known: Webhook) -> dict[str, Any]:
            former = known.secret if asked.keep_old_secret_active_for_24_hours else None
            return {"secret": secret, "previous_secret": former, "previous_until": until}

        return await self._changed(webhook_id, key, decide)

    async def delete(self, webhook_id: str, key: Key) -> None:
        await self._changed(webhook_id, key, lambda _: {"removed": True})

    async def test(self, webhook_id: str, kind: str, key: Key) -> int:
        """Call an endpoint now with a sample event; returns the status of its answer."""
        hook, now = await self.get(webhook_id, key), time.time()
        event_id, body = webhook_payload.sample(kind, now)
        try:
            return await self.client.post(
                hook.url, webhook_payload.headers(event_id, body, hook.secrets(now), now), body
            )
        except Undeliverable as error:
            raise BadRequest(f"The endpoint was not reached: {error}.", code="webhook_unreachable") from None

    async def calls(self, webhook_id: str, status: str | None, cursor: Cursor, key: Key) -> Page[WebhookDelivery]:
        """The deliveries of an endpoint, newest first."""
        await self.get(webhook_id, key)
        fields: dict[str, Any] = {"status": status} if status else {}
        return await self.deliveries.page(cursor, webhook_id=webhook_id, **fields)

    async def redeliver(self, webhook_id: str, delivery_id: str, key: Key) -> WebhookDelivery:
        """Deliver a finished or given-up call again; raises `Missing`."""
        await self.get(webhook_id, key)
        known, now = await self.deliveries.get(delivery_id), time.time()
        if known is None or known.webhook_id != webhook_id:
            raise Missing(f"No such delivery: {delivery_id}", param="delivery_id")
        found = await self.deliveries.change(delivery_id, lambda call: (webhook_delivery.again(call, now), []))
        assert found is not None
        return found

    async def _check(self, url: str) -> None:
        try:
            await self.client.check(url)
        except Undeliverable as error:
            raise BadRequest(f"'url' cannot be called: {error}.", param="url", code="invalid_value") from None

    async def _changed(self, webhook_id: str, key: Key, decide: Callable[[Webhook], dict[str, Any]]) -> Webhook:
        await self.get(webhook_id, key)
        now = time.time()
        found = await self.views.change(
            webhook_id, lambda known: (known.model_copy(update={**decide(known), "changed_at": now}), [])
        )
        assert found is not None
        return found
