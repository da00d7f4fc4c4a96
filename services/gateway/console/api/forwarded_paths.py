"""`/console/<service>/…` and the API of the other services, passed on as they come."""

from collections.abc import Mapping
from typing import Any

from litestar import asgi
from litestar.types import Receive, Scope, Send

from services.gateway.console.domain.other_services import paths_of
from services.gateway.console.ports import Forwarder
from shared.pages import Pages, error_pages


def forwarded_paths(forwarder: Forwarder, services: Mapping[str, str], pages: Pages) -> list[Any]:
    """A mounted application for each path of each service; `services` maps names to URLs."""
    return [_mounted(path, forwarder, name, url, pages) for name, url in services.items() for path in paths_of(name)]


def _mounted(path: str, forwarder: Forwarder, name: str, url: str, pages: Pages) -> Any:
    # A part of the API answers with problem details, a page with a page or a box.
    handlers = error_pages(pages) if path.startswith("/console/") else None

    @asgi(path, is_mount=True, exception_handlers=handlers, copy_scope=True)
    async def forward(scope: Scope, receive: Receive, send: Send) -> None:
        await forwarder.forward(scope, receive, send, name, url)

    return forward
