"""Rows as tables of text: CSV and TSV. Nested values are written as JSON."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from services.ingest.exports.formulas import neutralised
from services.ingest.shapes.nested import to_cell

Records = Iterable[dict[str, Any]]


def write(path: Path, records: Records, columns: Sequence[str], *, delimiter: str, keep_formulas: bool) -> None:
    """With a mark of UTF-8, which spreadsheets need; every cell in quotes, so that line breaks are safe."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(columns)
        for record in records:
            cells = [as_text(record.get(column)) for column in columns]
            writer.writerow(cells if keep_formulas else [neutralised(cell) for cell in cells])


def as_text(value: Any) -> str:
    """A value as a cell of text; what is not there is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else to_cell(value)
