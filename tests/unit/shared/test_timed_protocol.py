"""Requests that arrive too slowly end their connection; slow answers and large bodies do not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

import pytest
import uvicorn

from services.gateway.inference.api.fast_path import FastPathProtocol
from services.gateway.inference.api.request_cycle import RequestCycle
from shared.web.timed_protocol import RequestTimeouts, TimedProtocol
from tests.ports import free_port

TIMEOUTS = RequestTimeouts(head_s=0.3, body_s=0.3)
HEAD = b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n"


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Read the body, think for longer than any timeout, and answer its length."""
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length, more = length + len(message["body"]), message["more_body"]
    await asyncio.sleep(2 * TIMEOUTS.head_s)
    answer = b"%d" % length
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(answer))]})
    await send({"type": "http.response.body", "body": answer})


async def fast(cycle: RequestCycle) -> None:
    body = await cycle.body(10**9)
    await asyncio.sleep(2 * TIMEOUTS.head_s)
    cycle.send_json(200, b"%d" % len(body))


@asynccontextmanager
async def serving(protocol: Any) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    port = free_port()
    http = cast(Any, partial(protocol, timeouts=TIMEOUTS))
    server = uvicorn.Server(uvicorn.Config(application, http=http, port=port, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    yield reader, writer
    writer.close()
    server.should_exit = True
    await task


async def answer_to_bytes(content: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """What is answered while the content arrives byte by byte."""

    async def drip() -> None:
        for byte in content:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    # What still arrives after the end resets the connection, so that there may be no orderly end of it.
    answer = await reader.readuntil(b"in time.")
    dripping.cancel()
    return answer


@pytest.fixture(params=[TimedProtocol, partial(FastPathProtocol, {b"/x": fast})], ids=["asgi", "fast path"])
def protocol(request: pytest.FixtureRequest) -> Any:
    return request.param


async def test_a_head_that_comes_byte_by_byte_gets_408_and_the_connection_ends(protocol: Any) -> None:
    async with serving(protocol) as (reader, writer), asyncio.timeout(5):
        answer = await answer_to_bytes(HEAD * 100, reader, writer)
    assert answer.startswith(b"HTTP/1.1 408")
    assert answer.endswith(b"The head of the request did not arrive in time.")


async def test_a_connection_that_sends_nothing_ends(protocol: Any) -> None:
    async with serving(protocol) as (reader, _writer), asyncio.timeout(5):
        assert (await reader.read()).startswith(b"HTTP/1.1 408")


async def test_a_body_that_comes_byte_by_byte_gets_408_and_the_connection_ends(protocol: Any) -> None:
    async with serving(protocol) as (reader, writer), asyncio.timeout(5):
        writer.write(HEAD % 100_000)
        answer = await answer_to_bytes(b"x" * 1000, reader, writer)
    assert answer.startswith(b"HTTP/1.1 408")
    assert answer.endswith(b"The body of the request did not arrive in time.")


async def test_a_body_that_takes_long_but_keeps_coming_is_read(protocol: Any) -> None:
    async with serving(protocol) as (reader, writer), asyncio.timeout(10):
        pieces = 8
        writer.write(HEAD % (pieces * 1024))
        for _ in range(pieces):
            writer.write(b"x" * 1024)
            await asyncio.sleep(TIMEOUTS.body_s / 2)
        answer = await reader.readuntil(b"%d" % (pieces * 1024))
    assert answer.startswith(b"HTTP/1.1 200")


async def test_two_requests_of_one_connection_are_answered_although_answers_take_long(protocol: Any) -> None:
    async with serving(protocol) as (reader, writer), asyncio.timeout(10):
        for _ in range(2):
            writer.write(HEAD % 5 + b"hello")
            assert (await reader.readuntil(b"\r\n\r\n5")).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("host", [b"a:b:c", b"a:99999", b"[::1", b"\xff"])
async def test_a_host_that_is_not_an_address_is_refused(host: bytes) -> None:
    async with serving(TimedProtocol) as (reader, writer), asyncio.timeout(5):
        writer.write(b"GET / HTTP/1.1\r\nhost: %b\r\n\r\n" % host)
        assert (await reader.read()).startswith(b"HTTP/1.1 400")
