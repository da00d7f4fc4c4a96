"""An HTTP server of a test, in its own process and loop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

# Requests that still run when the test is over are not waited for.
_SHUTDOWN_S = 0.1


@asynccontextmanager
async def http_server(app: web.Application, port: int = 0) -> AsyncIterator[str]:
    """Let an application listen, and give its URL; port 0 is a free one."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
