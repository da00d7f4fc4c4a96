"""The HTTP server of a service process."""

from typing import Any

import uvicorn
from litestar.types import ASGIApp

from shared.settings import ServiceSettings


def serve(app: ASGIApp, settings: ServiceSettings, **server: Any) -> None:
    """Serve until SIGTERM; running requests are finished first. `server` holds further options of uvicorn."""
    uvicorn.run(
        app,
        host=settings.common.http_host,
        port=settings.http_port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=10,
        **server,
    )
