"""A small load generator: each connection sends its next request when the last answer is complete."""

import asyncio
import statistics
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httptools

HEAD = "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{key}\r\n"
WARM_UP_S = 0.2
LONGEST_S = 10.0


@dataclass
class Outcome:
    """One measurement over `seconds`: whole answers, their times, and the number of HTTP chunks."""

    seconds: float = 0.0
    took_s: list[float] = field(default_factory=list[float])
    chunks: int = 0

    @property
    def per_second(self) -> float:
        return len(self.took_s) / self.seconds

    @property
    def chunks_per_second(self) -> float:
        return self.chunks / self.seconds

    def quantile_ms(self, percent: int) -> float:
        return statistics.quantiles(self.took_s, n=100, method="inclusive")[percent - 1] * 1e3


def request(url: str, body: bytes, key: str | None) -> bytes:
    """The bytes of a POST request."""
    parts = urlsplit(url)
    sent = f"authorization: Bearer {key}\r\n" if key else ""
    return HEAD.format(path=parts.path, host=parts.netloc, length=len(body), key=sent).encode() + body


class Caller(asyncio.Protocol):
    """One connection. An answer that is incomplete or not 200 ends the whole measurement with an error."""

    def __init__(self, asked: bytes, outcome: Outcome, failed: asyncio.Future[None]) -> None:
        self.asked = asked
        self.outcome = outcome
        self.failed = failed
        self.counting = self.stopped = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.chunks = 0
        self.began_at = time.perf_counter()
        self.transport.write(self.asked)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_headers_complete(self) -> None:
        if (status := self.parser.get_status_code()) != 200 and not self.failed.done():
            self.failed.set_exception(RuntimeError(f"answered with {status}"))

    def on_chunk_complete(self) -> None:
        self.chunks += 1

    def on_message_complete(self) -> None:
        if self.stopped:
            return
        if self.counting:
            self.outcome.took_s.append(time.perf_counter() - self.began_at)
            # The empty chunk that ends a body is not content.
            self.outcome.chunks += max(0, self.chunks - 1)
        # In the next turn of the loop: the parser is still working on this answer.
        asyncio.get_running_loop().call_soon(self.ask)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.stopped and not self.failed.done():
            self.failed.set_exception(RuntimeError(f"hung up: {exc}"))


async def measure(url: str, body: bytes, key: str | None, connections: int, seconds: float) -> Outcome:
    """Send requests for `seconds` after a short warm-up; longer if no answer is complete by then."""
    loop = asyncio.get_running_loop()
    outcome, failed = Outcome(), loop.create_future()
    parts, asked = urlsplit(url), request(url, body, key)
    made = [
        await loop.create_connection(lambda: Caller(asked, outcome, failed), parts.hostname, parts.port)
        for _ in range(connections)
    ]
    callers = [caller for _, caller in made]
    await asyncio.wait([failed], timeout=WARM_UP_S)
    began_at = time.perf_counter()
    for caller in callers:
        caller.counting = True
    await asyncio.wait([failed], timeout=seconds)
    # A slow gateway gets the time for a few answers.
    while len(outcome.took_s) < 2 * connections and not failed.done() and time.perf_counter() - began_at < LONGEST_S:
        await asyncio.wait([failed], timeout=0.1)
    outcome.seconds = time.perf_counter() - began_at
    for caller in callers:
        caller.stopped = True
        caller.transport.abort()
    if failed.done():
        failed.result()
    return outcome
