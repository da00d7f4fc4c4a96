"""`/v1/chat/completions`: plain ASGI, so that a request passes through nothing that it does not need.

[ADR 0007](../../../docs/decisions/0007-the-chat-path-is-plain-asgi.md) has what that gains.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from litestar import Router, post
from litestar.di import NamedDependency
from litestar.exceptions import ClientException, HTTPException
from litestar.types import ASGIApp, Receive, Scope, Send

from services.gateway.api.bodies import parsed
from services.gateway.api.described import CHAT, TEXT, asks_for
from services.gateway.api.errors import encoded, error_body
from services.gateway.api.meter import Meter
from services.gateway.domain import chat, completions
from services.gateway.domain.chat import ChatRequest
from services.gateway.ports import EngineUnreachable
from services.gateway.service.inference import Inference
from shared import security, telemetry
from shared.security import Keyring

# As nginx logs it; nobody is there to read it.
CALLER_LEFT = 499
# Most answers are here before; whoever hangs up sooner costs the engine no more than this.
WATCH_AFTER_S = 0.05
_EVENTS = ((b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"))
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class ChatDoor:
    """Checks the key, admits the request, and passes the answer on as it comes."""

    inference: Inference
    keyring: Keyring
    max_choices: int
    max_body_bytes: int
    meter: Meter
    admit: Callable[[Any, int], ChatRequest] = chat.admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        with telemetry.trace(_text(headers, b"traceparent")) as trace_id, self.meter.request() as seen:
            reply = Reply(send, (b"x-request-id", trace_id.encode()))
            watch = Watch(receive)
            try:
                await self._answer(headers, receive, reply, watch)
            except asyncio.CancelledError:
                if not watch.left:
                    raise
                reply.status = CALLER_LEFT
            except Exception as error:
                await reply.error(error)
            finally:
                watch.end()
                seen.status = reply.status

    async def _answer(self, headers: dict[bytes, bytes], receive: Receive, reply: "Reply", watch: "Watch") -> None:
        key = self.keyring.authenticate(_text(headers, b"authorization"))
        security.require(key, "infer")
        asked = self.admit(parsed(await _body(headers, receive, self.max_body_bytes)), self.max_choices)
        watch.begin()
        served = await self.inference.chat(asked, key, headers)
        version = (b"x-assay-version", served.target.version.encode())
        if served.body is not None:
            await reply.whole(200, served.body, version, *served.headers)
            return
        try:
            await reply.stream(served.events(), version, *served.headers)
        finally:
            served.close()


class Reply:
    """One answer on its way out. `status` is what was sent, 0 before."""

    def __init__(self, send: Send, *always: tuple[bytes, bytes]) -> None:
        self._send = send
        self._always = always
        self.status = 0

    async def whole(self, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
        length = (b"content-length", str(len(body)).encode())
        await self._start(status, [(b"content-type", b"application/json"), length, *headers])
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def stream(self, arrivals: AsyncIterator[list[bytes]], *headers: tuple[bytes, bytes]) -> None:
        """Each event leaves as soon as it is here, in an HTTP chunk of its own."""
        await self._start(200, [*_EVENTS, (b"x-accel-buffering", b"no"), *headers])
        send = self._send
        try:
            async for events in arrivals:
                for event in events:
                    await send({"type": "http.response.body", "body": event, "more_body": True})
        except EngineUnreachable:
            # The status was sent long ago: the stream itself has to say that it is not whole.
            broken = error_body(502, "The engine broke off in the middle of its answer.", code="engine_error")
            last = b"data: " + json.dumps(broken).encode() + b"\n\n"
            await send({"type": "http.response.body", "body": last, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def error(self, error: Exception) -> None:
        """What went wrong, where nothing was sent yet."""
        if self.status:
            raise error
        status, body, headers = encoded(error)
        await self.whole(status, body, *headers)

    async def _start(self, status: int, headers: Headers) -> None:
        self.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": [*headers, *self._always]})


class Watch:
    """Ends the work when the caller hangs up: then the engine is spared it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.left = False
        self._timer: asyncio.TimerHandle | None = None
        self._watching: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """To be called from the task that does the work, once the body is read."""
        work = asyncio.current_task()
        assert work is not None
        # A task for each request costs more than a timer, and most are answered before it is needed.
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_S, self._look, work)

    def end(self) -> None:
        if self._timer:
            self._timer.cancel()
        if self._watching:
            self._watching.cancel()

    def _look(self, work: "asyncio.Task[object]") -> None:
        self._watching = asyncio.create_task(self._until_left(work))

    async def _until_left(self, work: "asyncio.Task[object]") -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.left = True
        work.cancel()


async def _body(headers: dict[bytes, bytes], receive: Receive, limit: int) -> bytes:
    length = headers.get(b"content-length", b"0")
    if not length.isdigit():
        raise ClientException("The content-length is no number.")
    if int(length) > limit:
        raise HTTPException(status_code=413)
    content = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HTTPException(HTTPStatus(408).phrase, status_code=408)
        content += message["body"]
        if len(content) > limit:
            raise HTTPException(status_code=413)
        if not message["more_body"]:
            return content


def _text(headers: dict[bytes, bytes], name: bytes) -> str | None:
    return found.decode("latin-1") if (found := headers.get(name)) else None


@post("/", status_code=200, operation_class=asks_for(CHAT))
async def complete(chat_door: NamedDependency[ChatDoor]) -> ASGIApp:
    """Chat with a model, at once or as a stream."""
    return chat_door


@post("/", status_code=200, operation_class=asks_for(TEXT))
async def complete_text(text_door: NamedDependency[ChatDoor]) -> ASGIApp:
    """Go on with a text, at once or as a stream."""
    return text_door


routes = Router(chat.PATH, route_handlers=[complete], tags=["chat"])
text_routes = Router(completions.PATH, route_handlers=[complete_text], tags=["chat"])
