"""Dead letters: events that could not be published or handled, in their own stream for operators."""

import json
from dataclasses import dataclass

from faststream.nats import NatsBroker

from shared.cloudevents import CONTENT_TYPE, Envelope
from shared.topology import DEAD_PREFIX, DEAD_STREAM, PUBLISH_TIMEOUT_S

CONSUMER = "assay-consumer"
"""The header that names the consumer that failed. On a replayed event it is the only consumer that handles it."""
_EXCERPT_BYTES = 1000


@dataclass(frozen=True)
class DeadLetter:
    """`consumer` names who failed; `key` is the same for the same failure, so that it is stored only once."""

    consumer: str
    key: str
    deliveries: int
    error: Exception
    body: bytes


def of_unpublishable(service: str, envelope: Envelope, error: Exception) -> DeadLetter:
    """The letter of an event that NATS refused. It holds the beginning of the data, so it cannot be replayed."""
    data = json.dumps(envelope.data).encode()
    about = {"id": envelope.id, "type": envelope.type, "subject": envelope.subject, "time": envelope.time.isoformat()}
    body = {**about, "data_bytes": len(data), "data_begins": data[:_EXCERPT_BYTES].decode(errors="replace")}
    return DeadLetter(f"{service}-outbox", envelope.id, 0, error, json.dumps(body).encode())


async def publish(broker: NatsBroker, letter: DeadLetter) -> None:
    """Store a dead letter; raises when the server did not confirm it. Safe to repeat."""
    await broker.publish(
        letter.body,
        f"{DEAD_PREFIX}.{letter.consumer}",
        stream=DEAD_STREAM,
        timeout=PUBLISH_TIMEOUT_S,
        headers={
            "Nats-Msg-Id": f"{letter.consumer}/{letter.key}",
            "content-type": CONTENT_TYPE,
            CONSUMER: letter.consumer,
            "assay-deliveries": str(letter.deliveries),
            "assay-error": f"{type(letter.error).__name__}: {letter.error}".replace("\n", " ")[:1000],
        },
    )
