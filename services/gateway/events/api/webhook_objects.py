"""Webhook endpoints and deliveries as JSON objects."""

from typing import Any

from services.gateway.events.domain.webhook import Webhook
from services.gateway.events.domain.webhook_delivery import WebhookDelivery


def webhook(view: Webhook) -> dict[str, Any]:
    """An endpoint without its secret."""
    return {
        "object": "webhook_endpoint",
        "id": view.id,
        "name": view.name,
        "url": view.url,
        "event_types": view.event_types,
        "created_at": int(view.at),
        "updated_at": int(view.changed_at),
        "signing_secret_hint": f"{view.secret[:8]}…{view.secret[-4:]}",
    }


def delivery(view: WebhookDelivery) -> dict[str, Any]:
    """A delivery without its payload."""
    shown = view.model_dump(exclude={"at", "due_at", "payload", "owner"})
    next_try = int(view.due_at) if view.status == "pending" else None
    return {"object": "webhook_delivery", **shown, "created_at": int(view.at), "next_try_at": next_try}
