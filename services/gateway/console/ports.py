"""What the console needs from the outside."""

from typing import Any, Protocol

from litestar.types import Receive, Send


class Forwarder(Protocol):
    """Passes requests on to other services."""

    async def forward(self, scope: Any, receive: Receive, send: Send, name: str, base_url: str) -> None: ...
