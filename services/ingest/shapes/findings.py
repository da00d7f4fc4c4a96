"""What is wrong with a row, or worth knowing about it."""

from collections.abc import Iterator
from typing import Literal

import msgspec

FIELD_CHARS = 200
REASON_CHARS = 500


class Finding(msgspec.Struct, frozen=True):
    """An error refuses its row; a notice says what was left aside. `line` and `cell` say where the row stands."""

    severity: Literal["error", "notice"]
    code: str
    line: int
    cell: str
    field: str
    reason: str
    fix: str


class RowReport:
    """Collects the findings of one row."""

    def __init__(self, line: int, cell: str = "") -> None:
        self.line = line
        self.cell = cell
        self.findings: list[Finding] = []

    def error(self, code: str, field: str, reason: str, fix: str) -> None:
        """The row cannot be used."""
        self._add("error", code, field, reason, fix)

    def notice(self, code: str, field: str, reason: str, fix: str) -> None:
        """The row is used, and something of it is not."""
        self._add("notice", code, field, reason, fix)

    @property
    def refused(self) -> bool:
        return any(one.severity == "error" for one in self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def _add(self, severity: Literal["error", "notice"], code: str, field: str, reason: str, fix: str) -> None:
        field, reason, fix = (
            shortened(field, FIELD_CHARS),
            shortened(reason, REASON_CHARS),
            shortened(fix, REASON_CHARS),
        )
        self.findings.append(Finding(severity, code, self.line, self.cell, field, reason, fix))


def shortened(text: str, limit: int) -> str:
    """A text of at most `limit` characters; one that was cut says how long it was."""
    if len(text) <= limit:
        return text
    mark = f"… ({len(text)} characters)"
    return text[: limit - len(mark)] + mark
