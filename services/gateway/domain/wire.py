"""The bytes that engines answer with: cut into server-sent events, and given their public model name."""

import json
from functools import lru_cache
from typing import Any

_END = b"\n\n"


def renamed(content: bytes, loaded: str, public: str) -> bytes:
    """The answer under its public name. The model's field comes before any generated text, so the first one is it."""
    if loaded == public:
        return content
    return content.replace(_field(loaded), _field(public), 1)


@lru_cache(maxsize=1024)
def _field(name: str) -> bytes:
    # Asked for with every event of every stream.
    return b'"model":' + json.dumps(name, ensure_ascii=False).encode()


class EventCutter:
    """Joins what the network cut, and hands out each event as soon as it is whole."""

    def __init__(self) -> None:
        self.rest = b""

    def cut(self, chunk: bytes) -> list[bytes]:
        # As engines send them: one in each chunk.
        if not self.rest and 0 <= chunk.find(_END) == len(chunk) - len(_END):
            return [chunk]
        *events, self.rest = (self.rest + chunk).split(_END)
        return [event + _END for event in events]


def error_of(body: bytes) -> dict[str, Any]:
    """The error object of an engine's answer; empty where it is of no known shape."""
    try:
        content: Any = json.loads(body)
    except ValueError:
        return {}
    error: Any = content.get("error", content) if isinstance(content, dict) else {}
    return error if isinstance(error, dict) else {}
