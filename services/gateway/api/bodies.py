"""Reading a request's JSON, with errors that its sender can use."""

import json
from typing import Any

from litestar import Request

from services.gateway.domain.refusals import BadRequest


async def json_body(request: Request[Any, Any, Any]) -> Any:
    """The body as plain JSON values; raises `BadRequest`."""
    content = await request.body()
    try:
        return json.loads(content.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The body is not valid JSON: {error}", code="invalid_json") from None


async def optional_json_body(request: Request[Any, Any, Any]) -> Any:
    """The body as plain JSON values, an empty object where there is none; raises `BadRequest`."""
    return await json_body(request) if await request.body() else {}


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
