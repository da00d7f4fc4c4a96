"""Who calls: guards over several scopes, and the caller of a request."""

import json
from typing import Any, TypeVar

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import ClientException
from litestar.handlers import BaseRouteHandler
from pydantic import BaseModel

from services.review.ownership import Caller
from shared.security import NotAllowed, Scope
from shared.web import allow

M = TypeVar("M", bound=BaseModel)
AnyConnection = ASGIConnection[Any, Any, Any, Any]


def allow_any(*scopes: Scope) -> Any:
    """A guard that passes a key with at least one of the scopes."""

    async def guard(connection: AnyConnection, handler: BaseRouteHandler) -> None:
        refusals: list[NotAllowed] = []
        for scope in scopes:
            try:
                return await allow(scope)(connection, handler)
            except NotAllowed as refusal:
                refusals.append(refusal)
        raise refusals[0]

    return guard


def caller_of(request: Request[Any, Any, Any]) -> Caller:
    """The caller of a request that a guard has let pass."""
    key = request.state.key
    # What a key made before it belonged to a person is under the key's own id.
    return Caller(id=key.person, admin=key.allows("admin"), owners=(key.id,))


async def json_body(request: Request[Any, Any, Any], model: type[M]) -> M:
    """The body as a model. Unlike Litestar's decoder it reads NaN, so that the error can name the criterion."""
    try:
        content = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise ClientException(f"the body is not JSON: {error}") from None
    return model.model_validate(content)
