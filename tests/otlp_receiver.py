"""A collector for tests: takes traces by OTLP over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.http_server import http_server


@dataclass
class OtlpReceiver:
    """The spans that were exported, by their ids."""

    endpoint: str = ""
    spans: dict[str, Span] = field(default_factory=dict[str, Span])
    services: set[str] = field(default_factory=set[str])

    async def take(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/x-protobuf"
        for of_process in ExportTraceServiceRequest.FromString(await request.read()).resource_spans:
            about = {each.key: each.value.string_value for each in of_process.resource.attributes}
            self.services.add(about["service.name"])
            for of_library in of_process.scope_spans:
                self.spans |= {span.span_id.hex(): span for span in of_library.spans}
        return web.Response()

    def of_trace(self, trace_id: bytes) -> list[Span]:
        """The spans of a trace in the order in which they began."""
        found = [span for span in self.spans.values() if span.trace_id == trace_id]
        return sorted(found, key=lambda span: span.start_time_unix_nano)

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans.values() if span.name == name]

    def with_parents(self, span: Span) -> list[Span]:
        """A span, its parent and so on; ends where a parent was not exported."""
        parent = self.spans.get(span.parent_span_id.hex())
        return [span, *(self.with_parents(parent) if parent is not None else [])]


@asynccontextmanager
async def otlp_receiver() -> AsyncIterator[OtlpReceiver]:
    receiver, app = OtlpReceiver(), web.Application()
    app.router.add_post("/v1/traces", receiver.take)
    async with http_server(app) as receiver.endpoint:
        yield receiver


def attributes_of(span: Span) -> dict[str, str | int | float | bool]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "string_value") for each in span.attributes}
