"""The HTTP server of a service process."""

from collections.abc import Callable
from functools import partial
from typing import Any

import uvicorn
from litestar.types import ASGIApp

from shared.settings import ServiceSettings
from shared.web.timed_protocol import RequestTimeouts, TimedProtocol


def serve(app: ASGIApp, settings: ServiceSettings, http: Callable[..., Any] = TimedProtocol) -> None:
    """Serve until SIGTERM; running requests are finished first. `http` makes the protocol of a connection."""
    uvicorn.run(app, **options(settings, http))


def options(settings: ServiceSettings, http: Callable[..., Any]) -> dict[str, Any]:
    """uvicorn's options."""
    timeouts = RequestTimeouts(head_s=settings.head_timeout_s, body_s=settings.body_timeout_s)
    return {
        "http": partial(http, timeouts=timeouts),
        "host": settings.common.http_host,
        "port": settings.http_port,
        "log_config": None,
        "access_log": False,
        "timeout_graceful_shutdown": settings.stop_grace_s,
    }
