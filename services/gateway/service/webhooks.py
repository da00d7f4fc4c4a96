"""Endpoints that are called: made, changed, taken away and tried by those who own them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.gateway.domain import names, webhooks
from services.gateway.domain.ownership import within_reach
from services.gateway.domain.pages import Cursor, Page
from services.gateway.domain.refusals import BadRequest, Missing
from services.gateway.domain.webhooks import DAY_S, RotationRequest, WebhookChange, WebhookRequest, new_secret
from services.gateway.ports import Caller, Deliveries, DeliveryView, Undeliverable, Views, WebhookView
from shared.security import Key


@dataclass(frozen=True)
class Webhooks:
    """The use cases over endpoints and their calls."""

    views: Views[WebhookView]
    deliveries: Deliveries
    caller: Caller

    async def create(self, asked: WebhookRequest, key: Key) -> WebhookView:
        """A new endpoint with its secret; raises `BadRequest` for a URL that must not be called."""
        await self._check(asked.url)
        now = time.time()
        made = WebhookView(
            id=names.new_id("wh", key.id, None),
            at=now,
            changed_at=now,
            owner=key.id,
            name=asked.name,
            url=asked.url,
            event_types=list(dict.fromkeys(asked.event_types)),
            secret=new_secret(),
        )
        await self.views.create(made)
        return made

    async def page(self, cursor: Cursor, key: Key) -> Page[WebhookView]:
        return await self.views.page(cursor, removed=False, **within_reach(key))

    async def get(self, webhook_id: str, key: Key) -> WebhookView:
        """An endpoint of this key; what is another's is as good as not there."""
        found = await self.views.get(webhook_id)
        if found is None or found.removed or not key.owns(found.owner):
            raise Missing(f"No such webhook endpoint: {webhook_id}", param="webhook_endpoint_id")
        return found

    async def change(self, webhook_id: str, asked: WebhookChange, key: Key) -> WebhookView:
        if asked.url is not None:
            await self._check(asked.url)
        changes = asked.model_dump(exclude_none=True)
        return await self._changed(webhook_id, key, lambda _: changes)

    async def rotate(self, webhook_id: str, asked: RotationRequest, key: Key) -> WebhookView:
        """The endpoint with its new secret; for a day both sign, if that is asked for."""
        secret, until = new_secret(), time.time() + DAY_S

        def decide(known: WebhookView) -> dict[str, Any]:
            former = known.secret if asked.keep_old_secret_active_for_24_hours else None
            return {"secret": secret, "previous_secret": former, "previous_until": until}

        return await self._changed(webhook_id, key, decide)

    async def delete(self, webhook_id: str, key: Key) -> None:
        await self._changed(webhook_id, key, lambda _: {"removed": True})

    async def test(self, webhook_id: str, kind: str, key: Key) -> int:
        """Call an endpoint now with an event that tells of nothing; the status that it answers with."""
        hook, now = await self.get(webhook_id, key), time.time()
        event_id, body = webhooks.sample(kind, now)
        try:
            return await self.caller.post(hook.url, webhooks.headers(event_id, body, hook.secrets(now), now), body)
        except Undeliverable as error:
            raise BadRequest(f"The endpoint was not reached: {error}.", code="webhook_unreachable") from None

    async def calls(self, webhook_id: str, status: str | None, cursor: Cursor, key: Key) -> Page[DeliveryView]:
        """What an endpoint was called for, newest first."""
        await self.get(webhook_id, key)
        fields: dict[str, Any] = {"status": status} if status else {}
        return await self.deliveries.page(cursor, webhook_id=webhook_id, **fields)

    async def redeliver(self, webhook_id: str, delivery_id: str, key: Key) -> DeliveryView:
        """Let a call that was given up, or came through, be made again; raises `Missing`."""
        await self.get(webhook_id, key)
        known, now = await self.deliveries.get(delivery_id), time.time()
        if known is None or known.webhook_id != webhook_id:
            raise Missing(f"No such delivery: {delivery_id}", param="delivery_id")
        found = await self.deliveries.change(delivery_id, lambda call: (webhooks.again(call, now), []))
        assert found is not None
        return found

    async def _check(self, url: str) -> None:
        try:
            await self.caller.check(url)
        except Undeliverable as error:
            raise BadRequest(f"'url' cannot be called: {error}.", param="url", code="invalid_value") from None

    async def _changed(self, webhook_id: str, key: Key, decide: Callable[[WebhookView], dict[str, Any]]) -> WebhookView:
        await self.get(webhook_id, key)
        now = time.time()
        found = await self.views.change(
            webhook_id, lambda known: (known.model_copy(update={**decide(known), "changed_at": now}), [])
        )
        assert found is not None
        return found
