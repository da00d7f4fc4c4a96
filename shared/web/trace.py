"""Trace context of HTTP requests."""

from typing import Any

from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from shared import telemetry, tracing


class TraceMiddleware(ASGIMiddleware):
    """Continues the caller's trace, or the span that Litestar's plugin made in it, and returns its id."""

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if scope["type"] != "http":
            await next_app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        route = scope.get("path_template") or scope["path"]
        request = tracing.request_traceparent(f"{scope['method']} {route}", {"http.route": route})
        with telemetry.trace(request or headers.get(b"traceparent", b"").decode("latin-1") or None) as trace_id:

            async def send_with_id(message: Any) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], (b"x-request-id", trace_id.encode())]
                await send(message)

            await next_app(scope, receive, send_with_id)
