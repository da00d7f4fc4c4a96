"""`/v1/chat/completions`."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from litestar import Request, Router, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.response.base import ASGIResponse
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import Receive, Scope, Send

from services.gateway.api.bodies import json_body
from services.gateway.api.errors import error_body
from services.gateway.config import Settings
from services.gateway.domain import chat
from services.gateway.ports import EngineUnreachable
from services.gateway.service.inference import Inference, Served
from shared.web import allow

# As nginx logs it; nobody is there to read it.
CALLER_LEFT = 499


class StreamedAnswer(ASGIStreamingResponse):
    """A stream that leaves the engine whenever and however it ends."""

    __slots__ = ("served",)

    def __init__(self, served: Served) -> None:
        headers = {**version(served), "cache-control": "no-cache", "x-accel-buffering": "no"}
        super().__init__(iterator=_events(served), media_type="text/event-stream", headers=headers, status_code=200)
        self.served = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.served.close()


@post("/")
async def complete(
    request: Request[Any, Any, Any], inference: NamedDependency[Inference], settings: NamedDependency[Settings]
) -> ASGIResponse:
    """Chat with a model, at once or as a stream."""
    asked = chat.admit(await json_body(request), settings.max_choices)
    served = await _while_connected(request, inference.chat(asked, request.state.key))
    if served.body is None:
        return StreamedAnswer(served)
    return ASGIResponse(body=served.body, media_type="application/json", headers=version(served), status_code=200)


def version(served: Served) -> dict[str, str]:
    """Tells which version answered."""
    return {"x-assay-version": served.target.version}


async def _events(served: Served) -> AsyncIterator[bytes]:
    try:
        async for event in served.events():
            yield event
    except EngineUnreachable:
        # The status was sent long ago: the stream itself has to say that it is not whole.
        broken = error_body(502, "The engine broke off in the middle of its answer.", code="engine_error")
        yield b"data: " + json.dumps(broken).encode() + b"\n\n"


async def _while_connected(request: Request[Any, Any, Any], work: Coroutine[Any, Any, Served]) -> Served:
    """Do the work, unless the caller hangs up: then the engine is spared it."""
    doing = asyncio.create_task(work)
    leaving = asyncio.create_task(_left(request))
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise HTTPException("The caller hung up.", status_code=CALLER_LEFT)
        return await doing
    finally:
        leaving.cancel()
        doing.cancel()


async def _left(request: Request[Any, Any, Any]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


routes = Router("/v1/chat/completions", route_handlers=[complete], guards=[allow("infer")], tags=["chat"])
