"""What readers give: rows that are not yet checked, each with its place in the file."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Problem(NamedTuple):
    """Why one row could not be read."""

    code: str
    reason: str
    fix: str


class RawRow(NamedTuple):
    """One row. `line` counts from 1: a line of a text file, else a row of the table. `cell` names a spreadsheet's row.

    `flat` rows come from tables whose cells are text, so that nested values are written as JSON.
    """

    line: int
    value: dict[str, Any] | None
    problem: Problem | None = None
    cell: str = ""
    flat: bool = False


class LineBlock(NamedTuple):
    """Consecutive lines of JSON Lines in UTF-8, `first` being the number of the first one; empty lines are kept."""

    first: int
    content: bytes


Block = LineBlock | list[RawRow]


@dataclass
class Detected:
    """How a file was read. Empty strings stand for what a format does not have."""

    format: str = ""
    containers: list[str] = field(default_factory=lambda: list[str]())
    inner_name: str = ""
    encoding: str = ""
    delimiter: str = ""
    quote: str = ""
    wrapper: str = ""
    sheet: str = ""
    sheets: list[str] = field(default_factory=lambda: list[str]())
    columns: list[str] = field(default_factory=lambda: list[str]())
    numeric_cells: int = 0
    notes: list[str] = field(default_factory=lambda: list[str]())
