"""The addresses of a host."""

import asyncio
import socket

TIMEOUT_S = 2.0


async def addresses(host: str, port: int) -> list[str]:
    """Every address of a host, sorted; raises `OSError` or `TimeoutError` where it cannot be known now."""
    loop = asyncio.get_running_loop()
    found = await asyncio.wait_for(loop.getaddrinfo(host, port, type=socket.SOCK_STREAM), TIMEOUT_S)
    return sorted({str(address[0]) for *_, address in found})
