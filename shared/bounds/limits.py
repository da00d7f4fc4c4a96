"""How bounds are declared, and the error of what exceeds them."""

from dataclasses import dataclass
from typing import Any

MESSAGE_BYTES = 1_000_000
"""The largest event, as JSON; NATS accepts 1 MiB with headers."""
Place = tuple[str, ...]


class BoundsError(ValueError):
    """An event holds more than its type allows; the message names the field and its bound."""

    def __init__(self, place: Place, problem: str) -> None:
        super().__init__(f"{'.'.join(place)}: {problem}")
        self.place = place


@dataclass(frozen=True)
class MaxBytes:
    """The longest text, in bytes of JSON without quotes. With `cut`, longer texts are cut; otherwise refused."""

    limit: int
    cut: bool = False

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        return {**handler(core_schema), "maxLength": self.limit}


@dataclass(frozen=True)
class MaxEntries:
    """The most entries of a list or dict. With `cut`, the first ones are kept; otherwise more are refused."""

    limit: int
    cut: bool = False

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        schema = handler(core_schema)
        return {**schema, "maxProperties" if schema["type"] == "object" else "maxItems": self.limit}
