"""An engine's error in terms that the caller of the gateway knows."""

import re
from collections.abc import Collection
from typing import Any

from services.gateway.common.domain.errors import BadRequest

INVALID_REQUEST = "invalid_request"
CONTEXT_LENGTH_EXCEEDED = "context_length_exceeded"
_TOO_LONG = re.compile(r"maximum (context|model) length|longer than the maximum", re.IGNORECASE)
_NAME = re.compile(r"^\W*([a-z_]+)\b|['\"`]([a-z_]+)['\"`]")


def refused_by_engine(error: dict[str, Any], message: str, sent: Collection[str]) -> BadRequest:
    """A 4xx of an engine; `sent` are the names of the parameters in the request.

    The engine's `code` is kept where it is a word: vLLM repeats the HTTP status there.
    """
    if _TOO_LONG.search(message):
        content = "messages" if "messages" in sent else "prompt"
        return BadRequest(message, param=content, code=CONTEXT_LENGTH_EXCEEDED)
    code = error.get("code")
    code = code if isinstance(code, str) and code and not code.isdigit() else INVALID_REQUEST
    return BadRequest(message, param=_param(error.get("param"), message, sent), code=code)


def _param(named: Any, message: str, sent: Collection[str]) -> str | None:
    """The parameter that the engine or its message names; None for one that the caller did not send."""
    if isinstance(named, str):
        name = named.removeprefix("body.")
        if re.split(r"[.\[]", name)[0] in sent:
            return name
    for found in _NAME.finditer(message):
        if (name := found[1] or found[2]) in sent:
            return name
    return None
