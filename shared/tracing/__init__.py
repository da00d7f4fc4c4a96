"""OpenTelemetry spans, exported where `OTEL_EXPORTER_OTLP_ENDPOINT` is set. Without it no span is made.

[ADR 0073](../../docs/decisions/0073-traces-belong-to-aggregates.md) says which plugins are used and what a trace holds.
"""

from opentelemetry.trace import Span, SpanKind

from shared.tracing.messages import event_handled
from shared.tracing.plugins import asgi_middlewares, broker_middlewares
from shared.tracing.provider import configure, enabled, flushed, use
from shared.tracing.span import (
    attached,
    begun_span,
    belonging_to,
    fail,
    link,
    request_traceparent,
    span,
    traceparent_of,
)

__all__ = [
    "Span",
    "SpanKind",
    "asgi_middlewares",
    "attached",
    "begun_span",
    "belonging_to",
    "broker_middlewares",
    "configure",
    "enabled",
    "event_handled",
    "fail",
    "flushed",
    "link",
    "request_traceparent",
    "span",
    "traceparent_of",
    "use",
]
