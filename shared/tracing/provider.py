"""Where spans go: the collector that the environment names, or nowhere."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING

from opentelemetry.trace import Tracer

from shared import telemetry

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_HTTP = "http/protobuf"
# A collector that is away must not keep a service from stopping.
FLUSH_S = 5.0
_log = telemetry.logger(__name__)
_provider: "TracerProvider | None" = None
_tracer: Tracer | None = None


def configure(service: str, instance: str) -> None:
    """Export this process's spans if the environment names a collector; call it before the application is built."""
    if is_wanted(os.environ):
        _set(exporting(service, instance))


def exporting(service: str, instance: str) -> "TracerProvider":
    """A provider that exports to the collector of the environment.

    The SDK reads the other variables of OpenTelemetry itself: headers, sampler, sizes of batches.
    """
    # Imported here, because it takes a fifth of a second.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # The names of HTTP attributes that are stable now; Litestar's plugin uses the old ones by default.
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
    about = {
        "service.namespace": "assay",
        "service.name": os.environ.get("OTEL_SERVICE_NAME") or f"assay-{service}",
        "service.instance.id": instance or f"{socket.gethostname()}-{os.getpid()}",
    }
    # The lifespan exports the last spans. At the exit, the SDK would wait for a collector that is away.
    provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether the environment names a collector; one that speaks only gRPC is named in the log."""
    if not any(environment.get(name) for name in _ENDPOINTS):
        return False
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or environment.get("OTEL_TRACES_EXPORTER") == "none":
        return False
    protocol = next((found for name in _PROTOCOLS if (found := environment.get(name))), _HTTP)
    if protocol != _HTTP:
        _log.error(
            "no traces are exported: only http/protobuf is supported; set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf "
            "and the endpoint to the collector's HTTP port, usually 4318",
            protocol=protocol,
        )
    return protocol == _HTTP


def enabled() -> bool:
    """Whether spans are made."""
    return _tracer is not None


def tracer() -> Tracer | None:
    return _tracer


def current() -> "TracerProvider | None":
    return _provider


@contextmanager
def use(provider: "TracerProvider") -> Generator[None]:
    """Make spans with this provider, for one block."""
    before = _provider
    _set(provider)
    try:
        yield
    finally:
        _set(before)


@asynccontextmanager
async def flushed(_app: object) -> AsyncGenerator[None]:
    """A lifespan that exports the last spans when the application stops."""
    try:
        yield
    finally:
        if _provider is not None:
            try:
                async with asyncio.timeout(FLUSH_S):
                    await _flush(_provider)
            except TimeoutError:
                _log.warning("the last spans could not be exported in time", timeout_s=FLUSH_S)


async def _flush(provider: "TracerProvider") -> None:
    done, loop = asyncio.Event(), asyncio.get_running_loop()

    def flush() -> None:
        provider.force_flush()
        # The loop is closed if this came too late.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(done.set)

    # A closing event loop waits for its own threads, without a limit.
    Thread(target=flush, daemon=True).start()
    await done.wait()


def _set(provider: "TracerProvider | None") -> None:
    global _provider, _tracer
    _provider, _tracer = provider, provider.get_tracer("assay") if provider else None
