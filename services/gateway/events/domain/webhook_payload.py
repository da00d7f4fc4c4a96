"""The body and the signed headers of a webhook call."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook as Signer

from services.gateway.common.domain.ids import natural_id
from shared.cloudevents import Envelope

JOB_ENDED = "job.ended"


def types_of(envelope: Envelope) -> tuple[str, ...]:
    """The types that an endpoint may subscribe to for this event: its own, and OpenAI's for a job that ended."""
    if envelope.type != JOB_ENDED:
        return (envelope.type,)
    return (f"fine_tuning.job.{envelope.data['status']}", envelope.type)


def event_id(envelope: Envelope) -> str:
    return natural_id("evt", envelope.id)


def body(event_type: str, envelope: Envelope) -> str:
    """The body of a call. OpenAI's events only name their object; Assay's own carry its data."""
    data: dict[str, Any] = {"id": envelope.subject}
    if event_type == envelope.type:
        data = {**envelope.data, **data}
    return _encoded(event_id(envelope), event_type, int(envelope.time.timestamp()), data)


def sample(event_type: str, now: float) -> tuple[str, str]:
    """The id and the body of a test call."""
    made = natural_id("evt", "test", now)
    return made, _encoded(made, event_type, int(now), {"id": "test"})


def headers(delivery_id: str, payload: str, secrets: Sequence[str], now: float) -> dict[str, str]:
    """The headers of a call, with one signature by each secret (Standard Webhooks 1.0)."""
    at = datetime.fromtimestamp(int(now), UTC)
    signatures = [Signer(secret).sign(delivery_id, at, payload) for secret in secrets]
    return {
        "content-type": "application/json",
        "user-agent": "assay-webhooks/1",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": " ".join(signatures),
    }


def _encoded(made: str, event_type: str, created_at: int, data: dict[str, Any]) -> str:
    return json.dumps({"id": made, "object": "event", "created_at": created_at, "type": event_type, "data": data})
