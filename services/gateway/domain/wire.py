"""The bytes that engines answer with: cut into server-sent events, and given their public model name."""

import json
from collections.abc import Iterator
from typing import Any

_END = b"\n\n"


def renamed(content: bytes, loaded: str, public: str) -> bytes:
    """The answer under its public name. The model's field comes before any generated text, so the first one is it."""
    if loaded == public:
        return content
    ours, theirs = json.dumps(public, ensure_ascii=False), json.dumps(loaded, ensure_ascii=False)
    return content.replace(b'"model":' + theirs.encode(), b'"model":' + ours.encode(), 1)


class EventCutter:
    """Joins what the network cut, and hands out each event as soon as it is whole."""

    def __init__(self) -> None:
        self.rest = b""

    def cut(self, chunk: bytes) -> Iterator[bytes]:
        *events, self.rest = (self.rest + chunk).split(_END)
        for event in events:
            yield event + _END


def error_of(body: bytes) -> dict[str, Any]:
    """The error object of an engine's answer; empty where it is of no known shape."""
    try:
        content: Any = json.loads(body)
    except ValueError:
        return {}
    error: Any = content.get("error", content) if isinstance(content, dict) else {}
    return error if isinstance(error, dict) else {}
