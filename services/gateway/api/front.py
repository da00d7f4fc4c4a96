"""The front: requests that must be fast go from uvicorn's parser to their doors, all others to the application."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from litestar import Litestar
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.gateway.api.exchange import Exchange
from shared import telemetry

Door = Callable[[Exchange], Awaitable[None]]
_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class Front:
    """`doors` are by path, for POST alone; the application knows the same routes, for its schema."""

    application: Litestar
    doors: Mapping[str, Door]

    def protocol(self, **uvicorn: Any) -> "FrontProtocol":
        """What uvicorn makes for each connection, as its option `http`."""
        return FrontProtocol({path.encode(): door for path, door in self.doors.items()}, **uvicorn)


class FrontProtocol(HttpToolsProtocol):
    """uvicorn's own reading, pipelining, keeping and ending of a connection; only what a door answers is not ASGI.

    An `Exchange` takes the place of uvicorn's cycle, and a door that of its application.
    """

    cycle: Any
    parser: Any
    pipeline: deque[tuple[Any, Any]]

    def __init__(self, doors: Mapping[bytes, Door], **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self._doors = doors
        self._at_work: tuple[Exchange, asyncio.Task[None]] | None = None

    def on_headers_complete(self) -> None:
        door = self._door() if self.parser.get_method() == b"POST" else None
        if door is None or (self.parser.should_upgrade() and self._should_upgrade()):
            super().on_headers_complete()
            return
        before, self.cycle = self.cycle, Exchange(self)
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, door)
        else:
            # It came before the answer to the last one, and waits for it.
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, door))

    def on_body(self, body: bytes) -> None:
        if isinstance(self.cycle, Exchange):
            self.cycle.hear(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if isinstance(self.cycle, Exchange):
            self.cycle.heard()
        else:
            super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        exchange, task = self._at_work or (None, None)
        if exchange and task and exchange.open:
            exchange.left = True
            task.cancel()

    def _door(self) -> Door | None:
        # As nearly everybody writes it; the others with a slash or a query behind it.
        return self._doors.get(self.url) or self._doors.get(self.url.partition(b"?")[0].rstrip(b"/"))

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if not isinstance(cycle, Exchange):
            super()._start_asgi_task(cycle, app)
            return
        task = self.loop.create_task(_through(app, cycle))
        # uvicorn waits for these before it ends.
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        self._at_work = cycle, task


async def _through(door: Door, exchange: Exchange) -> None:
    try:
        await door(exchange)
    except Exception as error:
        _log.error("unexpected", exc_info=error)
    finally:
        if exchange.open:
            exchange.break_off()
