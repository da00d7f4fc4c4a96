"""Chat requests to vLLM replicas over a lean HTTP client."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from services.gateway.inference.adapters.http1 import Check, Connection, Connections

CONNECT_TIMEOUT_S = 3.0


class VllmChat:
    """All replicas; the connections are closed with the application."""

    def __init__(self, api_key: str | None, silence_s: float) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._connections = Connections(headers, CONNECT_TIMEOUT_S, silence_s)

    @asynccontextmanager
    async def running(self, _app: object) -> AsyncGenerator[None]:
        """The lifespan of the connections."""
        try:
            yield
        finally:
            self._connections.close()

    async def chat(self, url: str, path: str, body: bytes, check: Check | None = None) -> Connection:
        return await self._connections.post(url, path, body, check)
