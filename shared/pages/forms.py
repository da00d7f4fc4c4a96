"""Forms of pages: their fields, and where the browser goes afterwards."""

from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response


async def fields(request: Request[Any, Any, Any]) -> dict[str, str]:
    """The text fields of a form without blanks around them; of equal names the last."""
    return {name: value.strip() for name, value in (await request.form()).items() if isinstance(value, str)}


def see_other(path: str, **query: str) -> Response[bytes]:
    """Send the browser to a page, so that a reload does not repeat the action; empty values are left out."""
    shown = {name: value for name, value in query.items() if value}
    location = f"{path}?{urlencode(shown)}" if shown else path
    return Response(b"", status_code=303, headers={"location": location, "cache-control": "no-store"})
