"""What the forms of the console have in common: their fields, and where the browser goes afterwards."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response

from services.gateway.common.api.error_responses import encoded
from services.gateway.common.domain.errors import ApiError

AnyRequest = Request[Any, Any, Any]


async def fields(request: AnyRequest) -> dict[str, str]:
    """The fields of a form without blanks around them; of equal names the last."""
    return {name: str(value).strip() for name, value in (await request.form()).items()}


def whole_number(typed: Mapping[str, str], name: str, default: int = 0) -> int:
    """A field as a number within a signed 64-bit range; `default` where it holds none."""
    text = typed.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else default


def status_of(error: ApiError) -> int:
    """The HTTP status that the API answers with for this error."""
    return encoded(error)[0]


def see(path: str, **query: str) -> Response[bytes]:
    """Send the browser to a page, so that a reload does not repeat the action."""
    shown = {name: value for name, value in query.items() if value}
    location = f"{path}?{urlencode(shown)}" if shown else path
    return Response(b"", status_code=303, headers={"location": location, "cache-control": "no-store"})
