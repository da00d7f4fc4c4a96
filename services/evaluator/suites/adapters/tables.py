"""Reads tables of questions: CSV, JSON, JSON Lines and Excel, with limits on size."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.suites.domain.task import Format
from shared.unpacked_size import unpacked_bytes

Rows = list[dict[str, Any]]
DELIMITERS = (",", ";", "\t", "|")
"""Of the columns of a CSV file; the one that gives the header the most columns is used."""
MAX_ROWS = 100_000
MAX_COLUMNS = 500
MAX_CELL_CHARACTERS = 200_000
MAX_UNPACKED_BYTES = 256 * 1024**2


def read_table(content: bytes, format: Format) -> Rows:
    """The rows, each by column name; raises `CannotBeScored` for an unreadable or too large table."""
    try:
        rows = _READERS[format](content)
    except CannotBeScored:
        raise
    except Exception as error:
        # openpyxl raises many kinds of exceptions for broken workbooks.
        raise CannotBeScored("bad_table", f"not readable as {format}: {type(error).__name__}: {error!s:.300}") from None
    if len(rows) > MAX_ROWS:
        raise CannotBeScored("bad_table", f"has more than {MAX_ROWS} rows")
    return rows


def _csv(content: bytes) -> Rows:
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    text = content.decode("utf-8-sig")
    columns = {each: len(next(csv.reader(io.StringIO(text, newline=""), delimiter=each), [])) for each in DELIMITERS}
    delimiter = max(DELIMITERS, key=lambda each: columns[each])
    return _under_header(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def _jsonl(content: bytes) -> Rows:
    return _objects([json.loads(line) for line in content.decode("utf-8-sig").split("\n") if line.strip()])


def _json(content: bytes) -> Rows:
    found = json.loads(content.decode("utf-8-sig"))
    return _objects(found if isinstance(found, list) else [])


def _xlsx(content: bytes) -> Rows:
    """The first sheet, with the stored values of formulas."""
    import openpyxl

    if unpacked_bytes(content) > MAX_UNPACKED_BYTES:
        raise CannotBeScored("bad_table", f"unpacks to more than {MAX_UNPACKED_BYTES} bytes")
    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    return _under_header(iter(book.worksheets[0].iter_rows(values_only=True)))


def _under_header(lines: Iterator[Any]) -> Rows:
    header = ["" if name is None else str(name).strip() for name in next(lines, ())]
    named = [name for name in header if name]
    if len(set(named)) < len(named) or len(named) > MAX_COLUMNS:
        raise CannotBeScored("bad_table", f"the first line must name at most {MAX_COLUMNS} different columns")
    rows: Rows = []
    for line in lines:
        row = {name: value for name, value in zip(header, line, strict=False) if name and value not in (None, "")}
        if row:
            rows.append(row)
        if len(rows) > MAX_ROWS:
            break
    return rows


def _objects(found: list[Any]) -> Rows:
    if wrong := next((number for number, row in enumerate(found, start=1) if not isinstance(row, dict)), None):
        raise CannotBeScored("bad_table", f"row {wrong} is not a JSON object")
    if broken := next((number for number, row in enumerate(found, start=1) if not _is_unicode(row)), None):
        raise CannotBeScored("bad_table", f"row {broken} has text that is not valid Unicode: half a surrogate pair")
    return found


def _is_unicode(row: dict[str, Any]) -> bool:
    """False for what JSON can escape and nothing can store, send or show."""
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


_READERS: dict[str, Callable[[bytes], Rows]] = {"csv": _csv, "jsonl": _jsonl, "json": _json, "xlsx": _xlsx}
