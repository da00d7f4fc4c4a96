"""Spans of our own work. They have a parent by `traceparent`, because a trace goes through documents and events."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from shared import telemetry
from shared.tracing import provider

Attributes = Mapping[str, AttributeValue]
_PROPAGATOR = TraceContextTextMapPropagator()


@contextmanager
def span(
    name: str,
    *,
    parent: str | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes | None = None,
    end_on_exit: bool = True,
) -> Generator[Span]:
    """Run a block in a span below `parent`, a traceparent; below the current span if it is None.

    An exception marks the span as failed. Without an exporter the trace continues, and no span is made. A span that
    does not end with the block must be ended by the caller.
    """
    parent = parent or telemetry.known_traceparent()
    if (tracer := provider.tracer()) is None:
        with telemetry.trace(parent):
            yield INVALID_SPAN
        return
    with (
        tracer.start_as_current_span(
            name, context=_context(parent), kind=kind, attributes=attributes, end_on_exit=end_on_exit
        ) as current,
        telemetry.trace(traceparent_of(current)),
    ):
        yield current


def begun_span(name: str, *, parent: str | None, began_at: float, attributes: Attributes | None = None) -> Span:
    """A span of work that spread over several processes, to be ended by the last one; not exported if it never is.

    `began_at` is in Unix seconds.
    """
    if (tracer := provider.tracer()) is None:
        return INVALID_SPAN
    return tracer.start_span(name, context=_context(parent), attributes=attributes, start_time=int(began_at * 1e9))


@contextmanager
def attached(traceparent: str | None) -> Generator[None]:
    """Let the spans of a plugin continue a trace."""
    if provider.tracer() is None:
        yield
        return
    token = context.attach(_context(traceparent))
    try:
        yield
    finally:
        context.detach(token)


def request_traceparent(name: str, attributes: Attributes) -> str | None:
    """Name the current span, which Litestar's plugin started before routing; its traceparent, None if there is none."""
    current = trace.get_current_span()
    if provider.tracer() is None:
        return None
    current.update_name(name)
    current.set_attributes(attributes)
    return traceparent_of(current)


def belonging_to(owner: str | None) -> str:
    """The trace context of an event about an aggregate: `owner`, the aggregate's, or the current one.

    The current one is more exact where both are of the same trace. Otherwise its span is linked to the owner's trace.
    """
    current = telemetry.current_traceparent()
    if owner is None:
        return current
    if telemetry.trace_id_of(owner) == telemetry.trace_id_of(current):
        # The current one may be that of a progress event, which is not sampled.
        return current if current[-2:] == owner[-2:] else owner
    if provider.enabled():
        link(trace.get_current_span(), owner)
    return owner


def link(span: Span, traceparent: str) -> None:
    """Link a span to another trace."""
    span.add_link(trace.get_current_span(_context(traceparent)).get_span_context())


def fail(span: Span, reason: str) -> None:
    """Mark a span as failed, for a failure that is not an exception."""
    span.set_status(StatusCode.ERROR, reason)


def traceparent_of(made: Span) -> str | None:
    """None for the span of a process without an exporter."""
    found = made.get_span_context()
    if not found.is_valid:
        return None
    ids = f"{trace.format_trace_id(found.trace_id)}-{trace.format_span_id(found.span_id)}"
    return f"00-{ids}-{found.trace_flags:02x}"


def _context(traceparent: str | None) -> Context:
    return _PROPAGATOR.extract({"traceparent": traceparent}) if traceparent else Context()
