"""The span of an event's handler.

Events are fetched in batches by the NATS client, so that FastStream's plugin does not see them.
"""

from collections.abc import Generator
from contextlib import contextmanager

from opentelemetry.trace import SpanKind

from shared.cloudevents import Envelope
from shared.tracing import provider
from shared.tracing.span import span


@contextmanager
def event_handled(envelope: Envelope, consumer: str) -> Generator[None]:
    """Run a handler in a span of the event's trace; each event of a batch has its own."""
    if not provider.enabled():
        yield
        return
    about = {
        "messaging.system": "nats",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": envelope.type,
        "messaging.consumer.group.name": consumer,
        "messaging.message.id": envelope.id,
        "cloudevents.event_source": envelope.source,
        "cloudevents.event_subject": envelope.subject,
    }
    with span(f"{envelope.type} process", kind=SpanKind.CONSUMER, attributes=about):
        yield
