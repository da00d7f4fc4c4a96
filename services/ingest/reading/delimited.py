"""CSV and TSV: every cell stays the text that it is."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from typing import Any

from services.ingest.reading.dialects import Dialect
from services.ingest.reading.json_lines import too_long
from services.ingest.reading.limits import Limits
from services.ingest.reading.raw_rows import Block, Detected, Problem, RawRow
from services.ingest.reading.refusal import FileRefused

_ROWS_IN_BLOCK = 1000


def read(text: io.TextIOBase, dialect: Dialect, detected: Detected, limits: Limits) -> Iterator[Block]:
    """The rows below the header. An empty cell is an empty text; a row without any cell is passed over."""
    csv.field_size_limit(limits.row)
    reader = csv.reader(text, delimiter=dialect.delimiter, quotechar=dialect.quote)
    detected.columns = header(_next(reader))
    rows: list[RawRow] = []
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            rows.append(RawRow(line, None, _problem(error, limits)))
            if "field larger" in str(error):
                yield rows
                fix = "a cell may lack its closing quote: quote cells with line breaks, and double quotes inside them"
                raise FileRefused("cell_too_long", f"a cell that begins on line {line} does not end", fix) from None
            continue
        if cells is None:
            break
        if cells:
            rows.append(record(line, cells, detected.columns, limits))
        if len(rows) >= _ROWS_IN_BLOCK:
            yield rows
            rows = []
    if rows:
        yield rows


def header(cells: list[str] | None) -> list[str]:
    """The names of the columns; raises `FileRefused` for a header that names a column twice or none."""
    columns = [cell.strip() for cell in cells or []]
    while columns and not columns[-1]:
        columns.pop()
    if not columns:
        raise FileRefused(
            "no_header", "the first row names no column", "write the names of the columns in the first row"
        )
    if repeated := [name for name, count in Counter(columns).items() if count > 1]:
        reason = f"the header names the column {repeated[0][:80]!r} twice"
        raise FileRefused("repeated_column", reason, "give each column another name")
    return columns


def record(line: int, cells: list[str], columns: list[str], limits: Limits, cell: str = "") -> RawRow:
    """One row of a table of texts. Cells beyond the header must be empty, missing ones are not there."""
    if any(cells[len(columns) :]):
        reason = f"has {len(cells)} cells, the header {len(columns)}"
        return RawRow(
            line, None, Problem("too_many_cells", reason, "put quotes around cells that hold a delimiter"), cell
        )
    if sum(map(len, cells)) > limits.row:
        return RawRow(line, None, too_long(limits), cell)
    value: dict[str, Any] = dict(zip(columns, cells, strict=False))
    if problem := _unusable(cells):
        return RawRow(line, None, problem, cell)
    return RawRow(line, value, None, cell, flat=True)


def _unusable(cells: list[str]) -> Problem | None:
    joined = "".join(cells)
    if "\x00" in joined:
        return Problem("nul", "holds a NUL character", "remove the character")
    try:
        joined.encode()
    except UnicodeEncodeError:
        return Problem("not_utf8", "is not valid text in the file's encoding", "save the file as UTF-8")
    return None


def _next(reader: Any) -> list[str] | None:
    try:
        return next((row for row in reader if row), None)
    except csv.Error as error:
        raise FileRefused("damaged_table", f"the header cannot be read: {error}", "check the first line") from None


def _problem(error: csv.Error, limits: Limits) -> Problem:
    if "field larger" in str(error):
        return too_long(limits)
    return Problem("damaged_row", f"cannot be read: {error}", "put quotes around cells, and double quotes inside them")
