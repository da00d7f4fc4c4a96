"""One HTTP exchange without ASGI between: the request as uvicorn read it, the answer straight to its connection."""

from collections.abc import Iterable, Sequence
from typing import Any

from litestar.exceptions import ClientException, HTTPException
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

Header = tuple[bytes, bytes]


class Exchange:
    """A request and its answer. `status` is what was answered, 0 before; `left` is set when the caller hung up."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._always: Sequence[Header] = ()
        self.headers: dict[bytes, bytes] = dict(cycle.scope["headers"])
        self.status = 0
        self.left = False

    @property
    def open(self) -> bool:
        """Whether the answer is not whole yet."""
        return not self._cycle.response_complete

    def text(self, name: bytes) -> str | None:
        """One of the request's headers."""
        return found.decode("latin-1") if (found := self.headers.get(name)) else None

    async def body(self, limit: int) -> bytes:
        """The request's body, of at most so many bytes; raises Litestar's exceptions for HTTP statuses."""
        length = self.headers.get(b"content-length", b"0")
        if not length.isdigit():
            raise ClientException("The content-length is no number.")
        if int(length) > limit:
            raise HTTPException(status_code=413)
        content, more = b"", True
        while more:
            # Never a disconnect: who hangs up cancels this task.
            message: Any = await self._cycle.receive()
            content, more = content + message["body"], message["more_body"]
            if len(content) > limit:
                raise HTTPException(status_code=413)
        return content

    def promise(self, *headers: Header) -> None:
        """Headers that the answer gets, whatever it is."""
        self._always = headers

    def whole(self, status: int, body: bytes, *headers: Header) -> None:
        """Answer with JSON."""
        length = (b"content-length", b"%d" % len(body))
        head = self._head(status, ((b"content-type", b"application/json"), length, *headers))
        self._write(head + body)
        self._end()

    def begin(self, status: int, *headers: Header) -> None:
        """Answer with a stream."""
        self._write(self._head(status, (*headers, (b"transfer-encoding", b"chunked"))))

    def take(self, events: Sequence[bytes]) -> bool:
        """Send each event in an HTTP chunk of its own; false when the caller is too slow for more now."""
        self._write(b"".join([b"%x\r\n%b\r\n" % (len(event), event) for event in events]))
        return not self._cycle.flow.write_paused

    async def drained(self) -> None:
        await self._cycle.flow.drain()

    def finish(self) -> None:
        """End the stream."""
        self._write(b"0\r\n\r\n")
        self._end()

    def break_off(self) -> None:
        """Hang up on an answer that cannot become whole."""
        self._cycle.transport.close()

    def _write(self, content: bytes) -> None:
        # uvicorn does the same for all that it sends: what is closed takes nothing any more.
        if not self._cycle.disconnected:
            self._cycle.transport.write(content)

    def _head(self, status: int, headers: Iterable[Header]) -> bytes:
        self.status = status
        cycle = self._cycle
        # The server's own, such as the date, lead as they do elsewhere.
        every = (*cycle.default_headers, *headers, *self._always)
        if not cycle.keep_alive:
            every += ((b"connection", b"close"),)
        return STATUS_LINE[status] + b"".join([b"%b: %b\r\n" % header for header in every]) + b"\r\n"

    def _end(self) -> None:
        """What uvicorn does after an answer's last byte: the connection closes, or carries the next request."""
        cycle = self._cycle
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
