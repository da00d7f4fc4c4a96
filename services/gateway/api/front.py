"""The front: the paths that must be fast lead straight to their ASGI callables, all others to the application."""

from collections.abc import Mapping
from dataclasses import dataclass

from litestar import Litestar
from litestar.types import ASGIApp, Receive, Scope, Send


@dataclass(frozen=True)
class Front:
    """`fast` are callables by path, for POST alone; the application knows the same routes, for its schema."""

    application: Litestar
    fast: Mapping[str, ASGIApp]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and (app := self.fast.get(scope["path"])):
            await app(scope, receive, send)
        else:
            await self.application(scope, receive, send)
