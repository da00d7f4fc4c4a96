"""The plugins of FastStream and Litestar, for the spans of publishing and of HTTP requests.

Their metrics are off: `/metrics` has Assay's own.
"""

from collections.abc import Sequence
from typing import Any

from opentelemetry.metrics import NoOpMeterProvider

from shared.tracing import provider

# Probes and scrapes come every few seconds and belong to no trace.
_UNTRACED = ["^/healthz$", "^/readyz", "^/metrics$"]


def broker_middlewares() -> Sequence[Any]:
    """What a FastStream broker publishes through; empty without an exporter."""
    if (found := provider.current()) is None:
        return ()
    from faststream.nats.opentelemetry import NatsTelemetryMiddleware

    return (NatsTelemetryMiddleware(tracer_provider=found, meter_provider=NoOpMeterProvider()),)


def asgi_middlewares() -> Sequence[Any]:
    """What a Litestar application answers through; empty without an exporter."""
    if (found := provider.current()) is None:
        return ()
    from litestar.plugins.opentelemetry import OpenTelemetryConfig

    config = OpenTelemetryConfig(
        tracer_provider=found,
        meter_provider=NoOpMeterProvider(),
        exclude=_UNTRACED,
        exclude_spans=["receive", "send"],
    )
    return (config.middleware,)
