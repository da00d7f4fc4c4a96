"""Guards of route handlers: API keys, sessions and their scopes."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from shared import sessions
from shared.security import Key, Scope, require

AnyConnection = ASGIConnection[Any, Any, Any, Any]


def allow(scope: Scope) -> Callable[[AnyConnection, BaseRouteHandler], Awaitable[None]]:
    """A guard that demands a key or a session with this scope and stores the key in `connection.state.key`."""

    async def guard(connection: AnyConnection, _handler: BaseRouteHandler) -> None:
        # Set before the scope is checked, so that the audit log names the key of a refused request.
        connection.state.key = key = await authenticate(connection)
        require(key, scope)

    return guard


async def authenticate(connection: AnyConnection) -> Key:
    """The key of the `Authorization` header, or of the session's cookie; raises `NotAuthenticated`.

    Browsers send cookies by themselves, so that a session's unsafe requests must come from the console's own origin.
    """
    authorization, cookie = connection.headers.get("authorization"), connection.cookies.get(sessions.COOKIE)
    if authorization is not None or cookie is None:
        return connection.app.state.keyring.authenticate(authorization)
    sessions.check_origin(connection.scope.get("method", "GET"), connection.headers)
    return await connection.app.state.sessions.key_of(cookie)
