"""Guards of route handlers: API keys and their scopes."""

from collections.abc import Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from shared.security import Scope, require


def allow(scope: Scope) -> Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], None]:
    """A guard that demands a key with this scope and stores the key in `connection.state.key`."""

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
        key = connection.app.state.keyring.authenticate(connection.headers.get("authorization"))
        # Set before the scope is checked, so that the audit log names the key of a refused request.
        connection.state.key = key
        require(key, scope)

    return guard
