"""Splits an engine's answer into server-sent events and gives it the public model name."""

import json
from functools import lru_cache
from typing import Any

import msgspec

_END = b"\n\n"


def renamed(content: bytes, loaded: str, public: str) -> bytes:
    """The answer under its public name. `model` comes before any generated text, so the first match is right."""
    if loaded == public:
        return content
    return content.replace(_field(loaded), _field(public), 1)


@lru_cache(maxsize=1024)
def _field(name: str) -> bytes:
    # Computed for every event of every stream, so it is cached.
    return b'"model":' + json.dumps(name, ensure_ascii=False).encode()


class EventCutter:
    """Joins network reads and returns each event as soon as it is complete."""

    def __init__(self) -> None:
        self.rest = b""

    def cut(self, chunk: bytes) -> list[bytes]:
        # The usual case: one event in each chunk.
        if not self.rest and 0 <= chunk.find(_END) == len(chunk) - len(_END):
            return [chunk]
        *events, self.rest = (self.rest + chunk).split(_END)
        return [event + _END for event in events]


def texts(body: bytes) -> list[Any]:
    """The text of each choice of a complete answer; empty if its shape is unknown."""
    try:
        content: Any = msgspec.json.decode(body)
    except ValueError:
        return []
    choices: Any = content.get("choices") if isinstance(content, dict) else None
    return [choice.get("message") or choice.get("text") for choice in choices or () if isinstance(choice, dict)]


class Used(msgspec.Struct):
    """The usage that an engine reports for an answer."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class _WithUsage(msgspec.Struct):
    usage: Used | None = None
    choices: list[msgspec.Raw] = []


def used(body: bytes) -> Used | None:
    """The usage in a complete answer; None if it has none."""
    try:
        return _WITH_USAGE.decode(body).usage
    except (ValueError, RecursionError):
        return None


class StreamUsage:
    """Reads the usage from a stream. The gateway asks for it in every request; most callers do not."""

    def __init__(self, asked: bool) -> None:
        self._asked = asked
        self.events = 0
        self.used: Used | None = None

    def visible_events(self, events: list[bytes]) -> list[bytes]:
        """The events that the caller gets."""
        self.events += len(events)
        for event in events:
            # In generated text quotes are escaped, so this cannot be part of it.
            if _USAGE in event:
                return [event for event in events if self._passes(event)]
        return events

    def _passes(self, event: bytes) -> bool:
        if _USAGE not in event:
            return True
        try:
            said = _WITH_USAGE.decode(event.removeprefix(b"data:"))
        except (ValueError, RecursionError):
            return True
        self.used = said.usage or self.used
        return self._asked or bool(said.choices) or said.usage is None


_USAGE = b'"usage":'
_WITH_USAGE = msgspec.json.Decoder(_WithUsage)


def error_of(body: bytes) -> dict[str, Any]:
    """The error object of an engine's answer; empty if its shape is unknown."""
    try:
        content: Any = json.loads(body)
    except ValueError:
        return {}
    error: Any = content.get("error", content) if isinstance(content, dict) else {}
    return error if isinstance(error, dict) else {}
