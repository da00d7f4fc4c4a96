"""One HTTP request/response cycle without ASGI: reads uvicorn's parser, writes to the connection."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from litestar.exceptions import ClientException, HTTPException
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

if TYPE_CHECKING:
    from services.gateway.inference.api.chat_trace import ChatTrace

Header = tuple[bytes, bytes]


class RequestCycle:
    """A request and its answer. `status` is what was answered, 0 before; `trace` is None where none is exported.

    The protocol reads these attributes of a cycle: `disconnected`, `keep_alive`, `message_event`, `response_started`,
    `response_complete`.
    """

    def __init__(self, connection: HttpToolsProtocol) -> None:
        self._connection = connection
        self._received = bytearray()
        self._complete = False
        self._always: Sequence[Header] = ()
        self._sent_continue = not connection.expect_100_continue
        self.headers: dict[bytes, bytes] = dict(connection.headers)
        self.status = 0
        self.trace: ChatTrace | None = None
        self.disconnected_by_caller = False
        self.disconnected = self.response_complete = False
        parser = connection.parser
        self.keep_alive = parser.should_keep_alive() and parser.get_http_version() != "1.0"
        self.message_event = asyncio.Event()

    @property
    def open(self) -> bool:
        """Whether the answer is not complete yet."""
        return not self.response_complete

    @property
    def response_started(self) -> bool:
        return self.status != 0

    def text(self, name: bytes) -> str | None:
        """One of the request's headers."""
        return found.decode("latin-1") if (found := self.headers.get(name)) else None

    def on_body(self, part: bytes) -> None:
        """Take a part of the body."""
        # The rest of a body is not read after the answer, as when the body is too long.
        if not self.response_complete:
            self._received += part
            self.message_event.set()

    def on_complete(self) -> None:
        """The body has ended."""
        self._complete = True
        self.message_event.set()

    async def body(self, limit: int) -> bytes:
        """The request's body, at most `limit` bytes; raises Litestar's exceptions for HTTP statuses."""
        length = self.headers.get(b"content-length", b"0")
        if not length.isdigit():
            raise ClientException("The header content-length must be a number.")
        if int(length) > limit:
            raise HTTPException(status_code=413)
        if not self._sent_continue:
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not self._complete and len(self._received) <= limit:
            # A caller who hangs up cancels this task.
            await self.message_event.wait()
            self.message_event.clear()
        if len(self._received) > limit:
            raise HTTPException(status_code=413)
        return bytes(self._received)

    def always_send(self, *headers: Header) -> None:
        """Headers that the answer gets, whatever its status."""
        self._always = headers

    def send_json(self, status: int, body: bytes, *headers: Header) -> None:
        """Answer with JSON."""
        length = (b"content-length", b"%d" % len(body))
        self._write(self._head(status, (b"content-type", b"application/json"), length, *headers) + body)
        self._end()

    def start_stream(self, status: int, *headers: Header) -> None:
        """Answer with a stream."""
        self._write(self._head(status, *headers, (b"transfer-encoding", b"chunked")))

    def send_events(self, events: Sequence[bytes]) -> bool:
        """Send each event in an HTTP chunk of its own; false when the caller is too slow for more now."""
        self._write(b"".join([b"%x\r\n%b\r\n" % (len(event), event) for event in events]))
        return not self._connection.flow.write_paused

    async def drained(self) -> None:
        await self._connection.flow.drain()

    def end_stream(self) -> None:
        self._write(b"0\r\n\r\n")
        self._end()

    def abort(self) -> None:
        """Close the connection of an answer that cannot be completed."""
        self._connection.transport.close()

    def _write(self, content: bytes) -> None:
        # As uvicorn does: nothing is written to a closed connection.
        if not self.disconnected:
            self._connection.transport.write(content)

    def _head(self, status: int, *headers: Header) -> bytes:
        self.status = status
        # The server's own headers, such as the date, come first, as in its other answers.
        every = (*self._connection.server_state.default_headers, *headers, *self._always)
        if not self.keep_alive:
            every += ((b"connection", b"close"),)
        return STATUS_LINE[status] + b"".join([b"%b: %b\r\n" % header for header in every]) + b"\r\n"

    def _end(self) -> None:
        """What uvicorn does after the last byte: the connection closes, or carries the next request."""
        self.response_complete = True
        if not self.keep_alive:
            self._connection.transport.close()
        self._connection.on_response_complete()
