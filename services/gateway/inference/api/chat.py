"""`/v1/chat/completions` and `/v1/completions`, handled on the fast path.

[ADR 0009](../../../../docs/decisions/0009-fast-path-for-chat-requests.md) has the measurements.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from litestar import Router, post
from litestar.exceptions import NotFoundException

from services.gateway.common.api.error_responses import encoded, error_body
from services.gateway.common.api.json_body import parsed
from services.gateway.common.api.openapi_schema import asks_for
from services.gateway.inference.api.chat_metrics import ChatMetrics
from services.gateway.inference.api.chat_schema import CHAT, TEXT
from services.gateway.inference.api.request_cycle import RequestCycle
from services.gateway.inference.domain import chat_request, completion_request
from services.gateway.inference.domain.chat_request import ChatRequest
from services.gateway.inference.service.inference import Inference
from services.gateway.inference.service.served_answer import ServedAnswer
from services.gateway.serving.ports import EngineUnreachable
from shared import security, telemetry
from shared.security import Key, Keyring
from shared.sessions import Sessions, check_origin, cookie_of

# As nginx logs it; the answer reaches no one.
CALLER_LEFT = 499
_ORIGIN = (b"origin", b"host", b"sec-fetch-site")
_STREAM = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)


@dataclass(frozen=True)
class ChatHandler:
    """Checks the key, admits the request, and passes the answer on as it arrives."""

    inference: Inference
    keyring: Keyring
    sessions: Sessions
    max_choices: int
    max_body_bytes: int
    metrics: ChatMetrics
    admit: Callable[[Any, int], ChatRequest] = chat_request.admit

    async def __call__(self, cycle: RequestCycle) -> None:
        began_at = self.metrics.began()
        try:
            # Each request has its own task, and the trace ends with it.
            cycle.always_send((b"x-request-id", telemetry.begin(cycle.text(b"traceparent")).encode()))
            await self._answer(cycle)
        except asyncio.CancelledError:
            if not cycle.disconnected_by_caller:
                raise
            cycle.status = CALLER_LEFT
        except Exception as error:
            if cycle.status:
                raise
            status, body, headers = encoded(error)
            cycle.send_json(status, body, *headers)
        finally:
            self.metrics.ended(cycle.status, began_at)

    async def _answer(self, cycle: RequestCycle) -> None:
        key = await self._key(cycle)
        security.require(key, "infer")
        asked = self.admit(parsed(await cycle.body(self.max_body_bytes)), self.max_choices)
        served = await self.inference.chat(asked, key, cycle.headers)
        if cycle.trace is not None:
            cycle.trace.served_by(asked, served)
        version = (b"x-assay-version", served.target.version.encode())
        if served.body is not None:
            cycle.send_json(200, served.body, version, *served.headers)
            return
        cycle.start_stream(200, *_STREAM, version, *served.headers)
        await _stream(served, cycle)

    async def _key(self, cycle: RequestCycle) -> Key:
        """The caller's key, or that of the console's session; a session's requests must come from the console."""
        authorization = cycle.text(b"authorization")
        cookie = cookie_of(cycle.text(b"cookie")) if authorization is None else None
        if cookie is None:
            return self.keyring.authenticate(authorization)
        named = ((name.decode(), cycle.text(name)) for name in _ORIGIN)
        check_origin("POST", {name: value for name, value in named if value is not None})
        return await self.sessions.key_of(cookie)


async def _stream(served: ServedAnswer, cycle: RequestCycle) -> None:
    """Each event is sent as soon as it arrives, in an HTTP chunk of its own."""
    try:
        await served.relay(cycle.trace or cycle)
    except EngineUnreachable:
        # The status is already sent: the stream itself must say that it is incomplete.
        broken = error_body(502, "The engine ended its answer early; send the request again.", code="engine_error")
        cycle.send_events([b"data: " + json.dumps(broken).encode() + b"\n\n"])
    finally:
        served.close()
    cycle.end_stream()


@post("/", status_code=200, operation_class=asks_for(CHAT))
async def complete() -> None:
    """Chat with a model, at once or as a stream."""
    # The fast path answers before the application sees a request to this path.
    raise NotFoundException


@post("/", status_code=200, operation_class=asks_for(TEXT))
async def complete_text() -> None:
    """Continue a text, at once or as a stream."""
    raise NotFoundException


routes = Router(chat_request.PATH, route_handlers=[complete], tags=["chat"])
text_routes = Router(completion_request.PATH, route_handlers=[complete_text], tags=["chat"])
