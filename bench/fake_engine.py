"""An upstream that costs next to nothing: OpenAI's answers, ready made: `python -m bench.fake_engine`.

It exists to measure what stands in front of it, and answers whatever it is asked.
"""

import argparse
import asyncio
import json
from typing import Any

import uvloop

TEXT = "The quick brown fox jumps over the lazy dog and runs on through the night. " * 4
STREAMING = (b'"stream":true', b'"stream": true')
OK = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\n%s\r\n"


def whole(model: str) -> bytes:
    """An answer of some 600 bytes, head and all."""
    choice = {"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 24, "completion_tokens": 64, "total_tokens": 88}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model}
    return _json({**head, "choices": [choice], "usage": usage})


def stream(model: str, chunks: int) -> list[bytes]:
    """Each part is sent by itself: a head, `chunks` events as one HTTP chunk each, and the end."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model}
    delta = [{"index": 0, "delta": {"content": " token"}, "finish_reason": None}]
    events = [json.dumps({**head, "choices": delta}, separators=(",", ":")).encode()] * (chunks - 1)
    parts = [b"data: " + event + b"\n\n" for event in (*events, b"[DONE]")]
    framed = [b"%x\r\n%s\r\n" % (len(part), part) for part in parts]
    return [OK % (b"text/event-stream", b"transfer-encoding: chunked\r\n"), *framed[:-1], framed[-1] + b"0\r\n\r\n"]


def _json(content: object) -> bytes:
    body = json.dumps(content, separators=(",", ":")).encode()
    return OK % (b"application/json", b"content-length: %d\r\n" % len(body)) + body


class Connection(asyncio.Protocol):
    """One caller."""

    def __init__(self, model: str, chunks: int) -> None:
        self.whole = whole(model)
        self.stream = stream(model, chunks)
        self.models = {"object": "list", "data": [{"id": model, "object": "model", "owned_by": "fake"}]}
        self.loaded: list[str] = LOADED
        self.loop = asyncio.get_running_loop()
        self.received = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        end = self.received.find(b"\r\n\r\n")
        if end < 0 or len(self.received) - end - 4 < _length(self.received[:end].lower()):
            return
        request, self.received = self.received, b""
        self.answer(request, request[end + 4 :])

    def answer(self, request: bytes, body: bytes) -> None:
        if b"completions" in request[:64]:
            if any(mark in body for mark in STREAMING):
                self.send(0)
            else:
                self.transport.write(self.whole)
        elif request.startswith(b"POST /v1/load_lora_adapter"):
            self.loaded.append(json.loads(body)["lora_name"])
            self.transport.write(_json("loaded"))
        else:
            cards = [{"id": name, "object": "model", "owned_by": "fake"} for name in self.loaded]
            self.transport.write(_json({**self.models, "data": [*self.models["data"], *cards]}))

    def send(self, place: int) -> None:
        """One part in each turn of the loop, so that each leaves by itself."""
        if not self.transport.is_closing():
            self.transport.write(self.stream[place])
            if place + 1 < len(self.stream):
                self.loop.call_soon(self.send, place + 1)


LOADED: list[str] = []


def _length(head: bytes) -> int:
    at = head.find(b"content-length:")
    return 0 if at < 0 else int(head[at + 15 :].split(b"\r\n", 1)[0])


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--chunks", type=int, default=64)
    given = parser.parse_args()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(given.model, given.chunks), "127.0.0.1", given.port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
