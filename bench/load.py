"""Load from raw protocols, each connection asking again once answered: `python -m bench.load` prints figures."""

import argparse
import asyncio
import json
import statistics
import time
from dataclasses import dataclass, field
from typing import Any

import uvloop

END = b"0\r\n\r\n"


@dataclass
class Figures:
    """What was seen: seconds of each whole answer, server-sent events, the HTTP chunks they came in, and failures."""

    latencies_s: list[float] = field(default_factory=list[float])
    events: int = 0
    chunks: int = 0
    failures: int = 0


class Caller(asyncio.Protocol):
    """One keep-alive connection with one request at a time."""

    def __init__(self, request: bytes, figures: Figures) -> None:
        self.request = request
        self.figures = figures
        self.left = -1
        self.chunked = False
        self.last = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.left, self.chunked, self.last = -1, False, b""
        self.began = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        if self.left < 0 and not self.chunked:
            data = self.head(self.last + data)
        if self.chunked:
            self.stream(data)
        elif self.left >= 0:
            self.left -= len(data)
            if self.left <= 0:
                self.done()

    def head(self, data: bytes) -> bytes:
        """Read the head; what of the body came with it."""
        head, found, body = data.partition(b"\r\n\r\n")
        if not found:
            self.last = data
            return b""
        self.last = b""
        self.figures.failures += not head.startswith(b"HTTP/1.1 200")
        lower = head.lower()
        at = lower.find(b"content-length:")
        self.chunked = at < 0
        self.left = -1 if self.chunked else int(lower[at + 15 :].split(b"\r\n", 1)[0])
        return body

    def stream(self, data: bytes) -> None:
        seen = self.last + data
        kept = seen[-4:]
        # What was kept was counted where it was whole.
        self.figures.events += seen.count(b"\n\n") - self.last.count(b"\n\n")
        self.figures.chunks += seen.count(b"\n\n\r\n") - self.last.count(b"\n\n\r\n")
        self.last = kept
        if seen.endswith(END):
            self.done()

    def done(self) -> None:
        self.figures.latencies_s.append(time.perf_counter() - self.began)
        self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self.figures.failures += 1


async def load(port: int, request: bytes, connections: int, seconds: float) -> Figures:
    """Keep `connections` busy for that long; the first tenth does not count."""
    loop = asyncio.get_running_loop()
    figures = Figures()
    callers = [
        (await loop.create_connection(lambda: Caller(request, figures), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.sleep(seconds / 10)
    failures = figures.failures
    counted = Figures(failures=failures)
    for caller in callers:
        caller.figures = counted
    await asyncio.sleep(seconds)
    for caller in callers:
        caller.transport.abort()
    return counted


def post(path: str, body: object, key: str) -> bytes:
    """A whole HTTP request."""
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {key}\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--key", default="none")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--stream", action="store_true")
    given = parser.parse_args()
    question = {"role": "user", "content": "Which parcel is late, and what should the customer be told about it?"}
    body = {"model": given.model, "messages": [question], "max_tokens": 64, "temperature": 0.2, "stream": given.stream}
    request = post("/v1/chat/completions", body, given.key)
    found = uvloop.run(load(given.port, request, given.connections, given.seconds))
    times_ms = sorted(1000 * seconds for seconds in found.latencies_s)
    print(
        json.dumps(
            {
                "per_s": len(times_ms) / given.seconds,
                "p50_ms": statistics.median(times_ms or [0]),
                "p99_ms": times_ms[int(len(times_ms) * 0.99)] if times_ms else 0,
                "events_per_s": found.events / given.seconds,
                "chunks_per_s": found.chunks / given.seconds,
                "failures": found.failures,
            }
        )
    )


if __name__ == "__main__":
    main()
