"""Streams a request to another service and its answer back, with cookies; ends when the browser leaves."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientConnectionError, ClientSession, ClientTimeout, DummyCookieJar
from litestar import Litestar
from litestar.types import Receive, Send
from yarl import URL

from shared.web import Unavailable

CONNECT_TIMEOUT_S = 2.0
# Headers of one connection alone (RFC 9110, 7.6.1); aiohttp and uvicorn write their own.
_HOP_BY_HOP = {b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"date", b"server"}


@dataclass
class HttpForwarder:
    """The HTTP client for other services. It keeps no cookies: they belong to the browsers."""

    _session: ClientSession | None = field(default=None, init=False)

    @asynccontextmanager
    async def running(self, _app: Litestar) -> AsyncGenerator[None]:
        timeout = ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S)
        async with ClientSession(timeout=timeout, cookie_jar=DummyCookieJar(), auto_decompress=False) as self._session:
            yield

    async def forward(self, scope: Any, receive: Receive, send: Send, name: str, base_url: str) -> None:
        """Answer a request with what the service `name` answers; raises `Unavailable` when it is away."""
        assert self._session is not None
        request = self._session.request(
            scope["method"],
            _url(base_url, scope),
            headers=_headers(scope),
            data=_body(receive) if _has_body(scope) else None,
            allow_redirects=False,
        )
        try:
            async with request as response:
                headers = [(name, value) for name, value in response.raw_headers if name.lower() not in _HOP_BY_HOP]
                await send({"type": "http.response.start", "status": response.status, "headers": headers})
                await _until_either(_copy(response.content.iter_any(), send), _disconnect(receive))
        except ClientConnectionError as error:
            raise Unavailable(f"the service '{name}' does not answer") from error


async def _until_either(copying: Any, leaving: Any) -> None:
    """Copy the answer; a browser that leaves a stream ends it, so that the service stops too."""
    tasks = [asyncio.ensure_future(copying), asyncio.ensure_future(leaving)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[0].done():
            tasks[0].result()
    finally:
        for task in tasks:
            task.cancel()


async def _copy(chunks: AsyncIterator[bytes], send: Send) -> None:
    async for chunk in chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(receive: Receive) -> AsyncGenerator[bytes]:
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise ClientConnectionError("the browser disconnected")
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


def _url(base_url: str, scope: Any) -> URL:
    query = scope["query_string"].decode("latin-1")
    path = scope["raw_path"].decode("latin-1")
    return URL(f"{base_url.rstrip('/')}{path}{'?' if query else ''}{query}", encoded=True)


def _headers(scope: Any) -> list[tuple[str, str]]:
    passed = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    kept = [(name, value) for name, value in passed if name.encode() not in _HOP_BY_HOP]
    known = {name for name, _ in kept}
    return kept if "x-forwarded-proto" in known else [*kept, ("x-forwarded-proto", scope["scheme"])]


def _has_body(scope: Any) -> bool:
    headers = dict(scope["headers"])
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
