"""A lean HTTP/1.1 client for engines: kept connections, and answers passed on as they arrive."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import cast
from urllib.parse import urlsplit

import httptools

from services.gateway.serving.ports import EngineGone, EngineUnreachable

# vLLM closes a connection after five idle seconds; a request must not be sent at that moment.
KEEP_S = 3.0
Check = Callable[[], Awaitable[None]]
# The buffer for a slow reader before the engine is paused.
HIGH_WATER_BYTES = 256 * 1024


class Connection(asyncio.Protocol):
    """One connection, which carries one exchange at a time: ask, then `head`, then `read` or `relay`, then `close`.

    `give_back` takes it when the exchange is over.
    """

    def __init__(self, url: str, silence_s: float, give_back: Callable[["Connection"], None]) -> None:
        self.url = url
        self._give_back = give_back
        self.silence_s = silence_s
        self.status = 0
        self.kept_at = 0.0
        self.closed = False
        self._whole = self._reusable = False
        self._parts: list[bytes] = []
        self._size = 0
        self._held_back = False
        self._take: Callable[[list[bytes]], bool] | None = None
        self._full = False
        self._error: EngineUnreachable | None = None
        self._waiter: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have asyncio's methods but not its classes.
        self._transport = cast(asyncio.Transport, transport)
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        # One parser for the connection: it resets itself with each answer.
        self._parser = httptools.HttpResponseParser(self)
        self._watch()

    def ask(self, request: bytes) -> None:
        """Begin an exchange."""
        self.status = 0
        self._whole = self._reusable = False
        self._heard_at = self._loop.time()
        self._transport.write(request)

    async def head(self) -> None:
        """Wait for the status and the headers; raises `EngineUnreachable`."""
        while not self.status:
            await self._more()

    async def read(self) -> bytes:
        """The whole body."""
        while not self._whole:
            await self._more()
        return b"".join(self._taken())

    async def relay(self, take: Callable[[list[bytes]], bool], drained: Callable[[], Awaitable[None]]) -> None:
        """Hand the body's parts to `take`, those that arrived together together, and at once.

        When it says that it is full, the engine is held back until `drained` returns.
        """
        self._take, self._full = take, False
        try:
            self._pass_on()
            while self._full or not self._whole:
                if self._full:
                    await drained()
                    self._full = False
                    self._pass_on()
                else:
                    await self._more()
        finally:
            self._take = None

    def close(self) -> None:
        """End the exchange. In the middle of an answer the engine is hung up on, and stops its work for it."""
        if self.free:
            self.kept_at = time.monotonic()
            self._give_back(self)
        else:
            self.abort()

    @property
    def free(self) -> bool:
        """Whether another request may be sent on it."""
        return self._whole and self._reusable and not self.closed and not self._parts

    def abort(self) -> None:
        """Hang up at once, whatever is under way."""
        self._fail(EngineUnreachable(f"{self.url}: connection closed by the gateway"))

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(EngineUnreachable(f"{self.url}: invalid HTTP answer: {error}"))
        if self._take:
            self._pass_on()
            if not (self._full or self._whole):
                # What was passed on already needs no wake-up.
                return
        self._wake()

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)
        self._size += len(body)
        if self._size > HIGH_WATER_BYTES and not self._held_back:
            self._held_back = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        self._whole = True
        self._reusable = self._parser.should_keep_alive()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(EngineUnreachable(f"{self.url}: connection closed by the engine: {exc or 'end of the stream'}"))

    def _pass_on(self) -> None:
        """Without a turn of the loop between: what comes in a stream is passed on within the call that brings it."""
        if self._take and self._parts and not self._full:
            self._full = not self._take(self._taken())

    def _taken(self) -> list[bytes]:
        taken, self._parts = self._parts, []
        self._size = 0
        if self._held_back:
            self._held_back = False
            self._transport.resume_reading()
        return taken

    def _more(self) -> asyncio.Future[None]:
        """Done when there is something new."""
        if self._error:
            raise self._error
        self._waiter = self._loop.create_future()
        return self._waiter

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter and not waiter.done():
            waiter.set_result(None)

    def _watch(self) -> None:
        """One timer for the connection's life is cheaper than one for each request."""
        left = self._heard_at + self.silence_s - self._loop.time()
        if left > 0 or self._held_back:
            self._timer = self._loop.call_later(max(left, 0.1), self._watch)
        else:
            self._fail(EngineUnreachable(f"{self.url}: no data for {self.silence_s:g} s"))

    def _fail(self, error: EngineUnreachable) -> None:
        if not self.closed:
            self.closed = True
            self._error = error
            self._timer.cancel()
            self._transport.abort()
            self._wake()


class Connections:
    """Kept connections by engine; the one used last is used first, so that a quiet time lets the others go."""

    def __init__(self, headers: dict[str, str], connect_timeout_s: float, silence_s: float) -> None:
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._connect_timeout_s = connect_timeout_s
        self._silence_s = silence_s
        self._kept: dict[str, list[Connection]] = {}
        self._heads: dict[tuple[str, str], bytes] = {}

    async def post(self, url: str, path: str, body: bytes, check: Check | None = None) -> Connection:
        """Send JSON and wait for the answer's head; raises `EngineUnreachable`.

        `check` is awaited before a connection that was just made is used.
        """
        kept = self._pop(url)
        connection = kept or await self._connect(url)
        try:
            if check and not kept:
                await check()
            connection.ask(b"%b%d\r\n\r\n%b" % (self._head(url, path), len(body), body))
            await connection.head()
        except BaseException:
            connection.abort()
            raise
        return connection

    def close(self) -> None:
        for kept in self._kept.values():
            for connection in kept:
                connection.abort()
        self._kept.clear()

    def _pop(self, url: str) -> Connection | None:
        kept, oldest = self._kept.get(url), time.monotonic() - KEEP_S
        while kept:
            connection = kept.pop()
            if connection.free and connection.kept_at > oldest:
                return connection
            connection.abort()
        return None

    async def _connect(self, url: str) -> Connection:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        secured = True if parts.scheme == "https" else None
        made = Connection(url, self._silence_s, self._kept.setdefault(url, []).append)
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                await asyncio.get_running_loop().create_connection(lambda: made, parts.hostname, port, ssl=secured)
        except TimeoutError as error:
            raise EngineUnreachable(f"{url}: no connection in {self._connect_timeout_s:g} s") from error
        except OSError as error:
            raise EngineGone(f"{url}: the connection was refused") from error
        return made

    def _head(self, url: str, path: str) -> bytes:
        """All but the length, which is another for each request."""
        if (known := self._heads.get((url, path))) is None:
            parts = urlsplit(url)
            lines = f"POST {parts.path}{path} HTTP/1.1\r\nhost: {parts.netloc}\r\n{self._headers}"
            known = f"{lines}content-type: application/json\r\naccept: */*\r\ncontent-length: ".encode("latin-1")
            self._heads[url, path] = known
        return known
