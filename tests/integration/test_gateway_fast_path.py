"""The path of a chat request through the gateway to an engine that the test scripts, over real HTTP."""

import asyncio
import json
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from shared.settings import CommonSettings
from tests.gateway import BASE, Gateway, eventually, running

CHAT = "/v1/chat/completions"
ASK = {"model": BASE, "messages": [{"role": "user", "content": "hi"}]}
WHOLE = json.dumps({"model": BASE, "choices": [{"index": 0, "message": {"role": "assistant", "content": "yes"}}]})
# More than the buffers of all sockets on the way hold.
FLOOD_EVENTS = 600
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@dataclass
class Engine:
    """An HTTP server that lists its model and answers probes; chat requests go to `answer`."""

    answer: "Answer"
    asked: int = 0
    connections: int = 0
    sent_bytes: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                length = request.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
                body = await reader.readexactly(int(length or b"0"))
                if request.startswith(b"POST") and b'"max_tokens"' not in body:
                    self.asked += 1
                    if not await self.answer(self, reader, writer):
                        return
                else:
                    send(writer, json.dumps({"data": [{"id": BASE}], "choices": [{}]}))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


Answer = Callable[[Engine, StreamReader, StreamWriter], Awaitable[bool]]
"""Answers one request; false when the connection must not be used again."""


def send(writer: StreamWriter, body: str) -> None:
    kind = f"content-type: application/json\r\ncontent-length: {len(body)}"
    writer.write(f"HTTP/1.1 200 OK\r\n{kind}\r\n\r\n{body}".encode())


def event(word: str) -> bytes:
    data = f'data: {{"model":"{BASE}","word":"{word}"}}\n\n'.encode()
    return b"%x\r\n%s\r\n" % (len(data), data)


async def whole(_engine: Engine, _reader: StreamReader, writer: StreamWriter) -> bool:
    send(writer, WHOLE)
    return True


async def until_left(engine: Engine, reader: StreamReader, writer: StreamWriter) -> bool:
    assert await reader.read(1) == b""
    engine.left.set()
    return False


async def stream_until_left(engine: Engine, reader: StreamReader, writer: StreamWriter) -> bool:
    writer.write(STREAM + event("one"))
    return await until_left(engine, reader, writer)


async def stream_in_steps(engine: Engine, _reader: StreamReader, writer: StreamWriter) -> bool:
    writer.write(STREAM + event("one"))
    await engine.go_on.wait()
    writer.write(event("two") + event("three"))
    writer.write(b"0\r\n\r\n")
    return True


async def flood(engine: Engine, _reader: StreamReader, writer: StreamWriter) -> bool:
    writer.write(STREAM)
    for _ in range(FLOOD_EVENTS):
        writer.write(event("x" * 100_000))
        await writer.drain()
        engine.sent_bytes += 100_000
    writer.write(b"0\r\n\r\n")
    return True


async def hang_up(_engine: Engine, _reader: StreamReader, _writer: StreamWriter) -> bool:
    return False


async def break_off(engine: Engine, _reader: StreamReader, writer: StreamWriter) -> bool:
    writer.write(STREAM + event("one"))
    await writer.drain()
    return False


@asynccontextmanager
async def before(settings: CommonSettings, *engines: Engine, **own: float) -> AsyncIterator[Gateway]:
    """A gateway that is ready, before these engines."""
    async with AsyncExitStack() as stack:
        urls: list[str] = []
        for engine in engines:
            server = await asyncio.start_server(engine.serve, "127.0.0.1", 0)
            stack.callback(server.close)
            urls.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        gateway = await stack.enter_async_context(running(settings, urls, **own))
        http = await stack.enter_async_context(httpx.AsyncClient())

        async def ready() -> bool:
            return (await http.get(f"{gateway.url}/readyz")).status_code == 200

        await eventually(ready)
        yield gateway


@pytest.mark.parametrize(("answer", "stream"), [(until_left, False), (until_left, True), (stream_until_left, True)])
async def test_a_caller_who_leaves_ends_the_engines_work(bus_settings, answer, stream) -> None:
    engine = Engine(answer)
    async with before(bus_settings, engine) as gateway, gateway.http("infer") as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.post(CHAT, json={**ASK, "stream": stream}, timeout=0.4)
        await asyncio.wait_for(engine.left.wait(), 2)
        # It is counted as such, and holds no place any more.
        text = await eventually(lambda: counted(http, 'assay_chat_requests_total{status="499"}'))
        assert "assay_chat_in_progress 0.0" in text


async def counted(http: httpx.AsyncClient, series: str) -> str:
    text = (await http.get("/metrics")).text
    return text if series in text else ""


async def test_each_event_of_a_stream_leaves_when_it_is_here_and_alone(bus_settings) -> None:
    engine = Engine(stream_in_steps)
    async with before(bus_settings, engine) as gateway, gateway.http("infer") as http:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2]))
        body = json.dumps({**ASK, "stream": True}).encode()
        key = http.headers["authorization"]
        writer.write(f"POST {CHAT} HTTP/1.1\r\nhost: a\r\nauthorization: {key}\r\n".encode())
        writer.write(b"content-length: %d\r\n\r\n%s" % (len(body), body))
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"text/event-stream" in head
        # The second was not even made yet.
        assert await asyncio.wait_for(reader.readexactly(len(event("one"))), 5) == event("one")
        assert "assay_chat_in_progress 1.0" in (await http.get("/metrics")).text
        engine.go_on.set()
        rest = event("two") + event("three") + b"0\r\n\r\n"
        assert await asyncio.wait_for(reader.readexactly(len(rest)), 5) == rest
        assert "assay_chat_in_progress 0.0" in (await http.get("/metrics")).text
        writer.close()


async def test_an_engine_that_hangs_up_before_its_first_byte_is_passed_over_unseen(bus_settings) -> None:
    bad, good = Engine(hang_up), Engine(whole)
    async with before(bus_settings, bad, good) as gateway, gateway.http("infer") as http:
        answers = [await http.post(CHAT, json=ASK) for _ in range(4)]
        assert [answer.text for answer in answers] == [WHOLE] * 4
        assert bad.asked >= 1
        assert good.asked == 4


async def test_a_stream_that_broke_off_is_not_begun_anew_and_says_so(bus_settings) -> None:
    engine = Engine(break_off)
    async with before(bus_settings, engine) as gateway, gateway.http("infer") as http:
        answer = await http.post(CHAT, json={**ASK, "stream": True})
        first, last, _ = answer.text.split("\n\n")
        assert '"word":"one"' in first
        assert json.loads(last.removeprefix("data: "))["error"]["code"] == "engine_error"
        assert engine.asked == 1


async def test_a_silent_engine_is_left_and_the_caller_told_to_come_back(bus_settings) -> None:
    engine = Engine(until_left)
    async with before(bus_settings, engine, engine_timeout_s=0.5) as gateway, gateway.http("infer") as http:
        began_at = time.monotonic()
        answer = await http.post(CHAT, json=ASK)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert 1.0 <= time.monotonic() - began_at < 5
        assert engine.left.is_set()


async def test_connections_are_kept_and_answers_carry_the_callers_trace(bus_settings) -> None:
    engine = Engine(whole)
    async with before(bus_settings, engine, reconcile_s=30) as gateway, gateway.http("infer") as http:
        trace = "0af7651916cd43dd8448eb211c80319c"
        traced = await http.post(CHAT, json=ASK, headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
        assert traced.headers["x-request-id"] == trace
        known = engine.connections
        others = [await http.post(CHAT, json=ASK) for _ in range(5)]
        assert engine.connections == known
        assert len({answer.headers["x-request-id"] for answer in others}) == 5
        assert others[0].headers["x-assay-version"] == BASE
        schema = (await http.get("/schema/openapi.json")).json()
        assert "post" in schema["paths"][CHAT]


@asynccontextmanager
async def raw(gateway: Gateway) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2]))
    yield reader, writer
    writer.close()


async def whole_answer(reader: StreamReader) -> tuple[bytes, bytes]:
    """The status line, and the body by its length."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0] or b"0")
    return head.partition(b"\r\n")[0], await reader.readexactly(length)


async def test_requests_are_answered_however_they_are_sent(bus_settings) -> None:
    async with (
        before(bus_settings, Engine(whole), max_body_bytes=2000) as gateway,
        gateway.http("infer") as http,
        raw(gateway) as (reader, writer),
    ):
        body = json.dumps(ASK).encode()
        head = f"POST {CHAT} HTTP/1.1\r\nhost: a\r\nauthorization: {http.headers['authorization']}\r\n".encode()
        sized = head + b"content-length: %d\r\n" % len(body)
        # Two at once, the second before the first is answered.
        writer.write((sized + b"\r\n" + body) * 2)
        assert [await whole_answer(reader) for _ in range(2)] == [(b"HTTP/1.1 200 OK", WHOLE.encode())] * 2
        # In chunks, and cut in the middle.
        writer.write(head + b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (5, body[:5]))
        await asyncio.sleep(0.05)
        writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body) - 5, body[5:]))
        assert await whole_answer(reader) == (b"HTTP/1.1 200 OK", WHOLE.encode())
        # By a caller who first asks whether it may.
        writer.write(sized + b"expect: 100-continue\r\n\r\n")
        assert await whole_answer(reader) == (b"HTTP/1.1 100 Continue", b"")
        writer.write(body)
        assert (await whole_answer(reader))[0] == b"HTTP/1.1 200 OK"
        # Too much is refused, said before or not, and the next one is answered.
        writer.write(head + b"content-length: 2001\r\n\r\n" + b" " * 2001)
        assert (await whole_answer(reader))[0].startswith(b"HTTP/1.1 413")
        writer.write(sized + b"connection: close\r\n\r\n" + body)
        assert (await whole_answer(reader))[0] == b"HTTP/1.1 200 OK"
        assert await asyncio.wait_for(reader.read(), 5) == b""
        for written in (f"{CHAT}/", f"{CHAT}?beta=true"):
            answer = await http.post(written, json=ASK)
            assert (answer.status_code, answer.text) == (200, WHOLE)
        assert (await http.get(CHAT)).json()["error"]["code"] == "method_not_supported"


async def test_an_engine_is_held_back_while_the_caller_does_not_read(bus_settings) -> None:
    engine = Engine(flood)
    async with (
        before(bus_settings, engine) as gateway,
        gateway.http("infer") as http,
        raw(gateway) as (reader, writer),
    ):
        body = json.dumps({**ASK, "stream": True}).encode()
        key = http.headers["authorization"]
        writer.write(f"POST {CHAT} HTTP/1.1\r\nhost: a\r\nauthorization: {key}\r\n".encode())
        writer.write(b"content-length: %d\r\n\r\n%b" % (len(body), body))
        await eventually(lambda: engine.sent_bytes > 0)
        stood = -1
        while stood != engine.sent_bytes:
            stood = engine.sent_bytes
            await asyncio.sleep(0.3)
        assert stood < FLOOD_EVENTS * 100_000 * 0.6
        await reader.readuntil(b"\r\n\r\n")
        rest = len(event("x" * 100_000)) * FLOOD_EVENTS
        assert (await asyncio.wait_for(reader.readexactly(rest), 30)).endswith(event("x" * 100_000))
        assert await reader.readexactly(5) == b"0\r\n\r\n"
