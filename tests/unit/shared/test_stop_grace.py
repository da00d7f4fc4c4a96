"""A service that is asked to stop finishes the answers that it streams, up to a setting."""

import asyncio
import time
from functools import partial
from typing import Any

import httpx
import pytest
import uvicorn

from services.gateway.inference.api.fast_path import FastPathProtocol
from services.gateway.inference.api.request_cycle import RequestCycle
from shared.settings import ServiceSettings
from shared.web.server import options
from shared.web.timed_protocol import TimedProtocol
from tests.ports import free_port

PIECES, PAUSE_S = 20, 0.1


async def application(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(PIECES):
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await asyncio.sleep(PAUSE_S)
    await send({"type": "http.response.body", "body": b""})


async def fast(cycle: RequestCycle) -> None:
    cycle.start_stream(200)
    for _ in range(PIECES):
        cycle.send_events([b"x"])
        await asyncio.sleep(PAUSE_S)
    cycle.end_stream()


async def stopped_while_streaming(protocol: Any, stop_grace_s: int) -> tuple[bytes, float]:
    """What a caller receives of an answer when the server is asked to stop in its middle, and how long that takes."""
    settings = ServiceSettings(http_port=free_port(), stop_grace_s=stop_grace_s)
    server = uvicorn.Server(uvicorn.Config(application, lifespan="off", **options(settings, protocol)))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    received, asked_at = b"", time.monotonic()
    url = f"http://127.0.0.1:{settings.http_port}/x"
    async with httpx.AsyncClient() as client, client.stream("POST", url, content=b"{}") as answer:
        try:
            async for piece in answer.aiter_raw():
                received += piece
                if not server.should_exit:
                    server.should_exit, asked_at = True, time.monotonic()
        except httpx.TransportError:
            received += b"(broken off)"
    server.should_exit = True
    await task
    return received, time.monotonic() - asked_at


@pytest.fixture(params=[TimedProtocol, partial(FastPathProtocol, {b"/x": fast})], ids=["asgi", "fast path"])
def protocol(request: pytest.FixtureRequest) -> Any:
    return request.param


async def test_an_answer_under_way_is_finished_before_the_service_leaves(protocol: Any) -> None:
    received, _ = await stopped_while_streaming(protocol, stop_grace_s=30)
    assert received == b"x" * PIECES


async def test_an_answer_that_takes_too_long_does_not_hold_up_the_service(protocol: Any) -> None:
    _, took_s = await stopped_while_streaming(protocol, stop_grace_s=0)
    assert took_s < PIECES * PAUSE_S / 2
