"""One webhook delivery: its state, retries and outcome."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel

from services.gateway.common.domain.errors import BadRequest


class Delivery(BaseModel):
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


def claimed(delivery: Delivery, now: float, lease_s: float) -> Delivery | None:
    """The delivery in the hands of one who tries it now; None where it is not due. He has `lease_s` for it."""
    if delivery.status != "pending" or delivery.due_at > now:
        return None
    return delivery.model_copy(update={"attempts": delivery.attempts + 1, "due_at": now + lease_s})


def tried(
    delivery: Delivery, status: int | None, reason: str | None, delays_s: Sequence[float], now: float
) -> Delivery:
    """The delivery after a try: done, to be tried again, or given up after the last delay."""
    told: dict[str, Any] = {"status_code": status, "reason": reason}
    if reason is None:
        return delivery.model_copy(update={**told, "status": "delivered"})
    if delivery.attempts > len(delays_s):
        return delivery.model_copy(update={**told, "status": "dead"})
    return delivery.model_copy(update={**told, "due_at": now + delays_s[delivery.attempts - 1]})


def again(delivery: Delivery, now: float) -> Delivery:
    """A delivery to be tried from the beginning; raises `BadRequest` for one that is under way."""
    if delivery.status == "pending":
        raise BadRequest("This delivery is being tried already.", code="invalid_state")
    return delivery.model_copy(update={"status": "pending", "attempts": 0, "due_at": now})
