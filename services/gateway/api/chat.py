"""`/v1/chat/completions`: a door of its own, so that a request passes through nothing that it does not need.

[ADR 0009](../../../docs/decisions/0009-the-chat-path-has-a-door-of-its-own.md) has what that gains.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from litestar import Router, post
from litestar.exceptions import NotFoundException

from services.gateway.api.bodies import parsed
from services.gateway.api.described import CHAT, TEXT, asks_for
from services.gateway.api.errors import encoded, error_body
from services.gateway.api.exchange import Exchange
from services.gateway.api.meter import Meter
from services.gateway.domain import chat, completions
from services.gateway.domain.chat import ChatRequest
from services.gateway.ports import EngineUnreachable
from services.gateway.service.inference import Inference, Served
from shared import security, telemetry
from shared.security import Keyring

# As nginx logs it; nobody is there to read it.
CALLER_LEFT = 499
_STREAM = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)


@dataclass(frozen=True)
class ChatDoor:
    """Checks the key, admits the request, and passes the answer on as it comes."""

    inference: Inference
    keyring: Keyring
    max_choices: int
    max_body_bytes: int
    meter: Meter
    admit: Callable[[Any, int], ChatRequest] = chat.admit

    async def __call__(self, exchange: Exchange) -> None:
        began_at = self.meter.began()
        try:
            # Each request has a task of its own, and the trace ends with it.
            exchange.promise((b"x-request-id", telemetry.begin(exchange.text(b"traceparent")).encode()))
            await self._answer(exchange)
        except asyncio.CancelledError:
            if not exchange.left:
                raise
            exchange.status = CALLER_LEFT
        except Exception as error:
            if exchange.status:
                raise
            status, body, headers = encoded(error)
            exchange.whole(status, body, *headers)
        finally:
            self.meter.ended(exchange.status, began_at)

    async def _answer(self, exchange: Exchange) -> None:
        key = self.keyring.authenticate(exchange.text(b"authorization"))
        security.require(key, "infer")
        asked = self.admit(parsed(await exchange.body(self.max_body_bytes)), self.max_choices)
        served = await self.inference.chat(asked, key, exchange.headers)
        version = (b"x-assay-version", served.target.version.encode())
        if served.body is not None:
            exchange.whole(200, served.body, version, *served.headers)
            return
        exchange.begin(200, *_STREAM, version, *served.headers)
        await _stream(served, exchange)


async def _stream(served: Served, exchange: Exchange) -> None:
    """Each event leaves as soon as it is here, in an HTTP chunk of its own."""
    try:
        await served.relay(exchange)
    except EngineUnreachable:
        # The status was sent long ago: the stream itself has to say that it is not whole.
        broken = error_body(502, "The engine broke off in the middle of its answer.", code="engine_error")
        exchange.take([b"data: " + json.dumps(broken).encode() + b"\n\n"])
    finally:
        served.close()
    exchange.finish()


@post("/", status_code=200, operation_class=asks_for(CHAT))
async def complete() -> None:
    """Chat with a model, at once or as a stream."""
    # The door answers before the application is asked, whatever is sent to this path.
    raise NotFoundException


@post("/", status_code=200, operation_class=asks_for(TEXT))
async def complete_text() -> None:
    """Go on with a text, at once or as a stream."""
    raise NotFoundException


routes = Router(chat.PATH, route_handlers=[complete], tags=["chat"])
text_routes = Router(completions.PATH, route_handlers=[complete_text], tags=["chat"])
