"""Requests whose bodies cannot be read are answered with 400, not with 500."""

from typing import Any

from litestar import Request
from litestar.datastructures import FormMultiDict
from litestar.exceptions import ClientException, SerializationException


class CheckedRequest(Request[Any, Any, Any]):
    """Litestar's request, with an answer also for the bodies on which its own parsers break."""

    async def json(self) -> Any:
        """The body as plain values; raises `SerializationException`, also for deep nesting and for broken UTF-8."""
        try:
            return await super().json()
        except (UnicodeDecodeError, RecursionError) as error:
            raise SerializationException(f"the body is not JSON: {error}") from None

    async def form(self) -> FormMultiDict:
        """The form; raises `ClientException`, also for fields that do not have the encoding that they name."""
        try:
            return await super().form()
        except (UnicodeDecodeError, LookupError) as error:
            raise ClientException(f"the form cannot be read: {error}") from None
