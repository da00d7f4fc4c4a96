"""One webhook delivery: its state, retries and outcome."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel

from services.gateway.common.domain.errors import BadRequest


class WebhookDelivery(BaseModel):
    """One call: an event for an endpoint. `due_at` is its next try; `reason` is why the last one failed."""

    id: str
    at: float
    webhook_id: str
    owner: str
    event_id: str
    event_type: str
    payload: str
    status: Literal["pending", "delivered", "dead"] = "pending"
    attempts: int = 0
    due_at: float = 0.0
    reason: str | None = None
    status_code: int | None = None


def claimed(delivery: WebhookDelivery, now: float, lease_s: float) -> WebhookDelivery | None:
    """The delivery claimed for one try, which may take `lease_s` seconds; None if it is not due."""
    if delivery.status != "pending" or delivery.due_at > now:
        return None
    return delivery.model_copy(update={"attempts": delivery.attempts + 1, "due_at": now + lease_s})


def tried(
    delivery: WebhookDelivery, status: int | None, reason: str | None, delays_s: Sequence[float], now: float
) -> WebhookDelivery:
    """The delivery after a try: delivered, pending for the next try, or dead after the last delay."""
    outcome: dict[str, Any] = {"status_code": status, "reason": reason}
    if reason is None:
        return delivery.model_copy(update={**outcome, "status": "delivered"})
    if delivery.attempts > len(delays_s):
        return delivery.model_copy(update={**outcome, "status": "dead"})
    return delivery.model_copy(update={**outcome, "due_at": now + delays_s[delivery.attempts - 1]})


def again(delivery: WebhookDelivery, now: float) -> WebhookDelivery:
    """A delivery to be tried again from the beginning; raises `BadRequest` while it is pending."""
    if delivery.status == "pending":
        raise BadRequest("This delivery is pending: it is retried automatically.", code="invalid_state")
    return delivery.model_copy(update={"status": "pending", "attempts": 0, "due_at": now})
