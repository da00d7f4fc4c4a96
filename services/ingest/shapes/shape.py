"""What every shape has: its keys, and the way to the canonical form and back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.ingest.shapes.canonical import Row
from services.ingest.shapes.findings import RowReport

Reader = Callable[[dict[str, Any], RowReport, bool], Row | None]
Writer = Callable[[Row], dict[str, Any] | None]


@dataclass(frozen=True)
class Shape:
    """`read` makes the canonical row of a raw one (the last argument: cells are text), `write` the reverse.

    `write` gives None for a row that the shape cannot hold. `strict` shapes allow no other key.
    """

    name: str
    title: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    read: Reader
    write: Writer
    strict: bool = False

    @property
    def keys(self) -> frozenset[str]:
        return frozenset((*self.required, *self.optional))


def filled(row: dict[str, Any], key: str, report: RowReport) -> str:
    """A text that must be there and not be blank."""
    value = row.get(key)
    if value is None:
        report.error("missing", key, "is missing", "write it, or remove the row")
        return ""
    if not isinstance(value, str):
        report.error("wrong_type", key, "is not text", "write a text")
        return ""
    if not value or value.isspace():
        report.error("empty", key, "is empty", "write it, or remove the row")
    return value


def optional_text(row: dict[str, Any], key: str, report: RowReport) -> str:
    """A text that may be missing."""
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        report.error("wrong_type", key, "is not text", "write a text")
        return ""
    return value or ""
