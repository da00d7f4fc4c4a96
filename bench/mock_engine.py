"""A fast fake vLLM replica that always gives the same answer at once: `python -m bench.mock_engine PORT`."""

import asyncio
import json
import re
import sys
from functools import lru_cache

import uvloop

EVENTS = 64
"""Server-sent events of one stream, the closing `[DONE]` included."""
_MODEL = re.compile(rb'"(?:model|lora_name)":\s*("[^"]*")')
_STREAM = re.compile(rb'"stream":\s*true')
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_ASKING = (b"POST /v1/chat/completions", b"POST /v1/completions")
_BASE = "mock"


@lru_cache
def whole(model: bytes) -> bytes:
    """A chat completion; `model` is the name as JSON."""
    message = {"role": "assistant", "content": "Hello. How may I help you with your order today?"}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    usage = {"prompt_tokens": 12, "completion_tokens": 12, "total_tokens": 24}
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": json.loads(model)}
    return answer({**body, "choices": [choice], "usage": usage})


@lru_cache
def events(model: bytes) -> tuple[bytes, ...]:
    """The HTTP chunks of a stream, one per event; the last contains the end of the body."""
    body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": json.loads(model)}
    choices = [{"index": 0, "delta": {"content": f" word{n}"}, "finish_reason": None} for n in range(EVENTS - 1)]
    data = [json.dumps({**body, "choices": [choice]}, separators=(",", ":")).encode() for choice in choices]
    chunks = [b"data: " + each + b"\n\n" for each in (*data, b"[DONE]")]
    framed = [b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks]
    return (*framed[:-1], framed[-1] + b"0\r\n\r\n")


def answer(body: object, status: bytes = b"200 OK") -> bytes:
    content = json.dumps(body, separators=(",", ":")).encode()
    head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % (status, len(content)) + content


_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)


class Connection(asyncio.Protocol):
    """One keep-alive connection. `loaded` has the model names of the whole server."""

    def __init__(self, loaded: set[str]) -> None:
        self.loaded = loaded
        self.received = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self.received, 0, end)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self.received) < size:
                return
            request, self.received = self.received[:size], self.received[size:]
            self.respond(request, end)

    def respond(self, request: bytes, end: int) -> None:
        model = _MODEL.search(request, end)
        if request.startswith(_ASKING) and model:
            if not _STREAM.search(request, end):
                self.transport.write(whole(model[1]))
                return
            self.transport.write(_STREAM_HEAD)
            # One event per turn of the loop, as an engine produces one after another.
            asyncio.get_running_loop().call_soon(self.send_events, events(model[1]), 0)
            return
        if model:
            loading = self.loaded.discard if b"unload_lora" in request[:end] else self.loaded.add
            loading(json.loads(model[1]))
        cards = [{"id": name, "object": "model", "owned_by": "mock"} for name in sorted(self.loaded)]
        self.transport.write(answer({"object": "list", "data": cards, "version": "0"}))

    def send_events(self, chunks: tuple[bytes, ...], place: int) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(chunks[place])
        if place + 1 < len(chunks):
            asyncio.get_running_loop().call_soon(self.send_events, chunks, place + 1)


async def main(port: int) -> None:
    loaded = {_BASE}
    server = await asyncio.get_running_loop().create_server(lambda: Connection(loaded), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
