"""The front: requests that must be fast go from uvicorn's parser to their doors, all others to the application."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from litestar import Litestar
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

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
        return FrontProtocol(self.doors, **uvicorn)


class FrontProtocol(HttpToolsProtocol):
    """uvicorn's own reading, pipelining, keeping and ending of a connection; only what a door answers is not ASGI."""

    def __init__(self, doors: Mapping[str, Door], **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self._doors = doors
        self._at_work: tuple[Exchange, asyncio.Task[None]] | None = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        scope = cycle.scope
        door = self._doors.get(scope["path"].rstrip("/")) if scope["method"] == "POST" else None
        if door is None:
            super()._start_asgi_task(cycle, app)
            return
        exchange = Exchange(cycle)
        task = self.loop.create_task(_through(door, exchange))
        # uvicorn waits for these before it ends.
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        self._at_work = exchange, task

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        exchange, task = self._at_work or (None, None)
        if exchange and task and exchange.open:
            exchange.left = True
            task.cancel()


async def _through(door: Door, exchange: Exchange) -> None:
    try:
        await door(exchange)
    except Exception as error:
        _log.error("unexpected", exc_info=error)
    finally:
        if exchange.open:
            exchange.break_off()
