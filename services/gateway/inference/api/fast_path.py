"""The fast path: chat requests go from uvicorn's parser to their handlers, all others to the ASGI application."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from litestar import Litestar

from services.gateway.inference.api.request_cycle import RequestCycle
from shared import telemetry
from shared.web.timed_protocol import TimedProtocol

FastHandler = Callable[[RequestCycle], Awaitable[None]]
_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class FastPath:
    """`handlers` are by path, for POST only; the application has the same routes, for its schema."""

    application: Litestar
    handlers: Mapping[str, FastHandler]

    def protocol(self, **uvicorn: Any) -> "FastPathProtocol":
        """Creates the protocol of one connection, as uvicorn's option `http`."""
        return FastPathProtocol({path.encode(): handler for path, handler in self.handlers.items()}, **uvicorn)


class FastPathProtocol(TimedProtocol):
    """The protocol of all services; only the requests of a fast handler do not go through ASGI.

    A `RequestCycle` replaces uvicorn's cycle, and the handler replaces the ASGI application.
    """

    parser: Any
    pipeline: deque[tuple[Any, Any]]

    def __init__(self, handlers: Mapping[bytes, FastHandler], **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self._handlers = handlers
        self._running: tuple[RequestCycle, asyncio.Task[None]] | None = None

    def on_headers_complete(self) -> None:
        handler = self._handler() if self.parser.get_method() == b"POST" else None
        if handler is None or (self.parser.should_upgrade() and self._should_upgrade()):
            super().on_headers_complete()
            return
        self.head_received()
        before, self.cycle = self.cycle, RequestCycle(self)
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, handler)
        else:
            # A pipelined request waits for the answer to the one before it.
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, handler))

    def on_body(self, body: bytes) -> None:
        if isinstance(self.cycle, RequestCycle):
            self.cycle.on_body(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if isinstance(self.cycle, RequestCycle):
            self.cycle.on_complete()
            self.message_received()
        else:
            super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        cycle, task = self._running or (None, None)
        if cycle and task and cycle.open:
            cycle.disconnected_by_caller = True
            task.cancel()

    def _handler(self) -> FastHandler | None:
        # The exact path first, which nearly every client sends; then with a trailing slash or a query.
        return self._handlers.get(self.url) or self._handlers.get(self.url.partition(b"?")[0].rstrip(b"/"))

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if not isinstance(cycle, RequestCycle):
            super()._start_asgi_task(cycle, app)
            return
        task = self.loop.create_task(_handle(app, cycle))
        # uvicorn waits for these before it ends.
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        self._running = cycle, task


async def _handle(handler: FastHandler, cycle: RequestCycle) -> None:
    try:
        await handler(cycle)
    except Exception as error:
        _log.error("unexpected", exc_info=error)
    finally:
        if cycle.open:
            cycle.abort()
