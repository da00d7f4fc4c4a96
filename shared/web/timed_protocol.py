"""HTTP connections that end when a request arrives too slowly, so that slow senders cannot hold all of them.

Requests with an invalid `Host` are refused here, because all code that builds their URL would fail.
"""

import asyncio
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_MIN_BODY_BYTES = 1024
_ANSWER = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b"
)


@dataclass(frozen=True)
class RequestTimeouts:
    """How long the head of a request may take, and in which time a body must bring 1 KiB or its end, in seconds."""

    head_s: float = 20.0
    body_s: float = 30.0


class TimedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with timeouts; uvicorn itself has one for idle connections only.

    No timer is set for a request that arrives as a whole. A body that the application does not read now is not slow.
    """

    flow: Any
    headers: list[tuple[bytes, bytes]]
    transport: Any
    cycle: Any

    def __init__(self, timeouts: RequestTimeouts = RequestTimeouts(), **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self._timeouts = timeouts
        self._timer: asyncio.TimerHandle | None = None
        self._waits_for = "head"
        self._timed = ""
        self._body_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._set_timer()

    def data_received(self, data: bytes) -> None:
        if self._waits_for == "body":
            self._body_bytes += len(data)
        super().data_received(data)
        if self._timed != self._waits_for:
            self._set_timer()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._waits_for = "head"

    def on_headers_complete(self) -> None:
        if not all(_is_address(value) for name, value in self.headers if name == b"host"):
            # uvicorn answers 400 to what its parser does not take, callbacks included.
            raise ValueError("the header Host is not an address")
        super().on_headers_complete()
        self.head_received()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self.message_received()

    def head_received(self) -> None:
        """The head is complete; a body may follow."""
        self._waits_for, self._body_bytes = "body", 0

    def message_received(self) -> None:
        """The request is complete; uvicorn ends the connection if no other follows."""
        self._waits_for = ""

    def connection_lost(self, exc: Exception | None) -> None:
        self._waits_for = ""
        self._set_timer()
        super().connection_lost(exc)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timed = self._waits_for
        if self._waits_for:
            delay_s = self._timeouts.head_s if self._waits_for == "head" else self._timeouts.body_s
            self._timer = self.loop.call_later(delay_s, self._check)

    def _may_answer(self) -> bool:
        if self._waits_for == "head":
            # Of a pipelined request: the answer to the one before is still being sent.
            return self.cycle is None or self.cycle.response_complete
        return not self.cycle.response_started

    def _check(self) -> None:
        enough = self._body_bytes >= _MIN_BODY_BYTES or self.flow.read_paused
        if self._waits_for == "body" and enough:
            self._body_bytes = 0
            self._set_timer()
            return
        if self._may_answer():
            message = f"The {self._waits_for} of the request did not arrive in time.".encode()
            self.transport.write(_ANSWER % (len(message), message))
        self.transport.close()


@lru_cache
def _is_address(host: bytes) -> bool:
    """Whether a URL can be made with this host, which may have a port."""
    try:
        urlsplit(b"//" + host).port  # noqa: B018
    except ValueError:
        return False
    return True
