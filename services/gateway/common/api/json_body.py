"""Reading a request's JSON, with errors that its sender can use."""

from typing import Any

import msgspec
from litestar import Request

from services.gateway.common.domain.errors import BadRequest


async def json_body(request: Request[Any, Any, Any]) -> Any:
    """The body as plain JSON values; raises `BadRequest`."""
    return parsed(await request.body())


def parsed(content: bytes) -> Any:
    """Plain JSON values; raises `BadRequest`, also for NaN, half a surrogate pair, and nesting that is too deep."""
    try:
        return msgspec.json.decode(content)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The body is not valid JSON: {error}", code="invalid_json") from None


async def optional_json_body(request: Request[Any, Any, Any]) -> Any:
    """The body as plain JSON values, an empty object where there is none; raises `BadRequest`."""
    return await json_body(request) if await request.body() else {}
