"""The gateway without its fast path: stock uvicorn, an ASGI callable and aiohttp, with all other code as it is.

`python -m bench.asgi_gateway` runs it; `make bench-gateway` measures it beside the gateway, so that the table shows
what the fast path and the HTTP client of the gateway gain.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from litestar.exceptions import HTTPException

from services.gateway import app
from services.gateway.config import Settings
from services.gateway.inference import app as inference_app
from services.gateway.serving.ports import EngineUnreachable
from shared import telemetry, web

Header = tuple[bytes, bytes]


class AsgiCycle:
    """The interface of the gateway's `RequestCycle` over ASGI's `receive` and `send`."""

    def __init__(self, scope: Any, receive: Any, send: Any) -> None:
        self._receive, self._send = receive, send
        self._always: Sequence[Header] = ()
        self._waiting: list[bytes] = []
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.status = 0
        self.disconnected_by_caller = False
        self._head: dict[str, Any] | None = None

    def text(self, name: bytes) -> str | None:
        return found.decode("latin-1") if (found := self.headers.get(name)) else None

    async def body(self, limit: int) -> bytes:
        received = b""
        while True:
            message = await self._receive()
            received += message.get("body", b"")
            if len(received) > limit:
                raise HTTPException(status_code=413)
            if not message.get("more_body"):
                return received

    def always_send(self, *headers: Header) -> None:
        self._always = headers

    def send_json(self, status: int, body: bytes, *headers: Header) -> None:
        length = (b"content-length", b"%d" % len(body))
        self._start(status, (b"content-type", b"application/json"), length, *headers)
        self._waiting.append(body)

    def start_stream(self, status: int, *headers: Header) -> None:
        self._start(status, *headers)

    def send_events(self, events: Sequence[bytes]) -> bool:
        self._waiting += events
        return False

    async def drained(self) -> None:
        """Send the head once, and what waits; each event is a message, so that it leaves as a chunk of its own."""
        if self._head is not None:
            head, self._head = self._head, None
            await self._send(head)
        waiting, self._waiting = self._waiting, []
        for part in waiting:
            await self._send({"type": "http.response.body", "body": part, "more_body": True})

    async def end(self) -> None:
        await self.drained()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def end_stream(self) -> None:
        """The application calls `end` after the handler."""

    def _start(self, status: int, *headers: Header) -> None:
        self.status = status
        self._head = {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, *self._always],
        }


class AiohttpAnswer:
    """An engine's answer read by aiohttp."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status

    async def read(self) -> bytes:
        return await self._response.read()

    async def relay(self, take: Callable[[list[bytes]], bool], drained: Callable[[], Awaitable[None]]) -> None:
        async for part in self._response.content.iter_any():
            if not take([part]):
                await drained()

    def close(self) -> None:
        self._response.release()


class AiohttpChat:
    """Chat requests by aiohttp, in place of the gateway's own client."""

    def __init__(self, api_key: str | None, silence_s: float) -> None:
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._timeout = aiohttp.ClientTimeout(total=None, sock_read=silence_s)

    @asynccontextmanager
    async def running(self, _app: object) -> AsyncGenerator[None]:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=3)
        async with aiohttp.ClientSession(
            connector=connector, headers=self._headers, timeout=self._timeout
        ) as self._session:
            yield

    async def chat(self, url: str, path: str, body: bytes, _check: Any = None) -> AiohttpAnswer:
        headers = {"content-type": "application/json"}
        try:
            return AiohttpAnswer(await self._session.post(url + path, data=body, headers=headers))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise EngineUnreachable(str(error)) from error


def main() -> None:
    settings = Settings()
    telemetry.configure("gateway", settings.common.instance, settings.common.log_level)
    inference_app.VllmChat = AiohttpChat  # type: ignore[misc,assignment]
    built = app.build(settings)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        handler = built.handlers.get(scope.get("path", "")) if scope["type"] == "http" else None
        if handler is None:
            await built.application(scope, receive, send)
            return
        cycle = AsgiCycle(scope, receive, send)
        await handler(cycle)  # type: ignore[arg-type]
        await cycle.end()

    web.serve(application, settings)


if __name__ == "__main__":
    main()
