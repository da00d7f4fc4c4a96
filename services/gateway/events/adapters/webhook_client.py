"""Calls webhook endpoints over HTTP: never this machine or its network, unless an operator allows it."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from services.gateway.events.domain.networks import Network, allowed, within
from services.gateway.events.ports import Undeliverable

TIMEOUT_S = 10.0
CONNECTIONS = 16


class GuardedResolver(AbstractResolver):
    """Resolves to allowed addresses only, at the moment of the call: DNS may change after the check."""

    def __init__(self, also: Sequence[Network]) -> None:
        self._also = also

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = [address for address in await resolved(host, port) if allowed(address, self._also)]
        if not found:
            raise OSError(f"{host} has no address that may be called")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=_family(address), proto=0, flags=0)
            for address in found
        ]

    async def close(self) -> None:
        return None


class HttpWebhookClient:
    """One session, opened and closed with the application. `also` are networks beside the public internet."""

    def __init__(self, also: Sequence[Network]) -> None:
        self._also = also
        self._open: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def running(self, _app: object) -> AsyncGenerator[None]:
        connector = aiohttp.TCPConnector(
            resolver=GuardedResolver(self._also), use_dns_cache=False, force_close=True, limit=CONNECTIONS
        )
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            self._open = session
            yield

    async def check(self, url: str) -> None:
        """Refuse addresses that must not be called, and plain HTTP outside the allowed networks."""
        parts = urlsplit(url)
        try:
            # A host that is an address itself does not go through the resolver.
            addresses = await resolved(parts.hostname or "", parts.port or 443)
        except OSError:
            raise Undeliverable("the host cannot be resolved") from None
        if not all(allowed(address, self._also) for address in addresses):
            raise Undeliverable("the host has an address that must not be called from here")
        if parts.scheme != "https" and not all(within(address, self._also) for address in addresses):
            raise Undeliverable("the URL must begin with https://")

    async def post(self, url: str, headers: Mapping[str, str], body: str) -> int:
        assert self._open is not None, "an endpoint is called before the application started"
        await self.check(url)
        try:
            # A redirect could lead anywhere.
            async with self._open.post(url, headers=headers, data=body.encode(), allow_redirects=False) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Undeliverable(f"no answer: {type(error).__name__}") from None


async def resolved(host: str, port: int) -> list[str]:
    """The addresses of a host; raises `OSError`."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise OSError(f"{host!r:.100} is not a host name") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
