"""One HTTP exchange without ASGI between: the request as uvicorn reads it, the answer straight to its connection."""

import asyncio
from collections.abc import Sequence

from litestar.exceptions import ClientException, HTTPException
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

Header = tuple[bytes, bytes]


class Exchange:
    """A request and its answer. `status` is what was answered, 0 before; `left` is set when the caller hung up.

    To uvicorn it is the cycle of its connection, and these are the attributes that it looks at: `disconnected`,
    `keep_alive`, `message_event` and `response_complete`.
    """

    def __init__(self, connection: HttpToolsProtocol) -> None:
        self._connection = connection
        self._received = bytearray()
        self._whole = False
        self._always: Sequence[Header] = ()
        self._told_to_go_on = not connection.expect_100_continue
        self.headers: dict[bytes, bytes] = dict(connection.headers)
        self.status = 0
        self.left = False
        self.disconnected = self.response_complete = False
        parser = connection.parser
        self.keep_alive = parser.should_keep_alive() and parser.get_http_version() != "1.0"
        self.message_event = asyncio.Event()

    @property
    def open(self) -> bool:
        """Whether the answer is not whole yet."""
        return not self.response_complete

    def text(self, name: bytes) -> str | None:
        """One of the request's headers."""
        return found.decode("latin-1") if (found := self.headers.get(name)) else None

    def hear(self, part: bytes) -> None:
        """Take a part of the body."""
        # Nobody reads what comes behind an answer, as that to a body that is too long.
        if not self.response_complete:
            self._received += part
            self.message_event.set()

    def heard(self) -> None:
        """There is no more of the body."""
        self._whole = True
        self.message_event.set()

    async def body(self, limit: int) -> bytes:
        """The request's body, of at most so many bytes; raises Litestar's exceptions for HTTP statuses."""
        length = self.headers.get(b"content-length", b"0")
        if not length.isdigit():
            raise ClientException("The content-length is no number.")
        if int(length) > limit:
            raise HTTPException(status_code=413)
        if not self._told_to_go_on:
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not self._whole and len(self._received) <= limit:
            # Never for a caller who hangs up: that cancels this task.
            await self.message_event.wait()
            self.message_event.clear()
        if len(self._received) > limit:
            raise HTTPException(status_code=413)
        return bytes(self._received)

    def promise(self, *headers: Header) -> None:
        """Headers that the answer gets, whatever it is."""
        self._always = headers

    def whole(self, status: int, body: bytes, *headers: Header) -> None:
        """Answer with JSON."""
        length = (b"content-length", b"%d" % len(body))
        self._write(self._head(status, (b"content-type", b"application/json"), length, *headers) + body)
        self._end()

    def begin(self, status: int, *headers: Header) -> None:
        """Answer with a stream."""
        self._write(self._head(status, *headers, (b"transfer-encoding", b"chunked")))

    def take(self, events: Sequence[bytes]) -> bool:
        """Send each event in an HTTP chunk of its own; false when the caller is too slow for more now."""
        self._write(b"".join([b"%x\r\n%b\r\n" % (len(event), event) for event in events]))
        return not self._connection.flow.write_paused

    async def drained(self) -> None:
        await self._connection.flow.drain()

    def finish(self) -> None:
        """End the stream."""
        self._write(b"0\r\n\r\n")
        self._end()

    def break_off(self) -> None:
        """Hang up on an answer that cannot become whole."""
        self._connection.transport.close()

    def _write(self, content: bytes) -> None:
        # uvicorn does the same for all that it sends: what is closed takes nothing any more.
        if not self.disconnected:
            self._connection.transport.write(content)

    def _head(self, status: int, *headers: Header) -> bytes:
        self.status = status
        # The server's own, such as the date, lead as they do elsewhere.
        every = (*self._connection.server_state.default_headers, *headers, *self._always)
        if not self.keep_alive:
            every += ((b"connection", b"close"),)
        return STATUS_LINE[status] + b"".join([b"%b: %b\r\n" % header for header in every]) + b"\r\n"

    def _end(self) -> None:
        """What uvicorn does after an answer's last byte: the connection closes, or carries the next request."""
        self.response_complete = True
        if not self.keep_alive:
            self._connection.transport.close()
        self._connection.on_response_complete()
