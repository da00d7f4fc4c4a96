"""Excel (xlsx) and OpenDocument (ods) workbooks: checked before they are loaded, for they are loaded as a whole."""

import datetime
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import python_calamine as calamine
from openpyxl.utils.exceptions import InvalidFileException

from services.ingest.reading.containers import guarded
from services.ingest.reading.delimited import header, record
from services.ingest.reading.limits import MIB, Limits
from services.ingest.reading.raw_rows import Block, Detected, RawRow
from services.ingest.reading.refusal import FileRefused

_ROWS_IN_BLOCK = 1000
_MAX_COLUMNS = 1000
_FORMULA = re.compile(rb"<(?:\w+:)?f[ >/]")


def kind(path: Path) -> str | None:
    """`xlsx` or `ods`, None for another file."""
    if not zipfile.is_zipfile(path):
        return None
    names = set(guarded("zip", lambda: zipfile.ZipFile(path)).namelist())
    if "xl/workbook.xml" in names:
        return "xlsx"
    if "content.xml" in names:
        return "ods"
    if "[Content_Types].xml" in names:
        raise FileRefused("unsupported_format", "the file is an Office document, not a workbook", "save it as xlsx")
    return None


def read(path: Path, sheet: str, detected: Detected, limits: Limits) -> Iterator[Block]:
    """The rows of one sheet: the one asked for, else the first that has rows."""
    has_formulas = _refuse_bombs(path, limits)
    try:
        workbook: Any = calamine.CalamineWorkbook.from_path(str(path))
        detected.sheets = [str(name)[:100] for name in workbook.sheet_names][:100]
        opened = _open(workbook, sheet, detected)
        rows = _with_formulas(path, str(opened.name), detected) if has_formulas else iter(opened.iter_rows())
    except calamine.CalamineError as error:
        reason = f"the workbook cannot be read: {str(error)[:200]}"
        raise FileRefused("damaged_workbook", reason, "save it again, without a password") from None
    yield from _records(rows, detected, limits)


def _open(workbook: Any, sheet: str, detected: Detected) -> Any:
    if sheet and sheet not in workbook.sheet_names:
        reason = f"the workbook has no sheet {sheet[:80]!r}; it has {', '.join(detected.sheets)[:300]}"
        raise FileRefused("unknown_sheet", reason, "name one of its sheets")
    names = [sheet] if sheet else workbook.sheet_names
    opened = (workbook.get_sheet_by_name(name) for name in names)
    found = next((one for one in opened if one.height), None)
    if found is None:
        raise FileRefused(
            "empty", "the workbook has no rows", "fill a sheet, the names of the columns in its first row"
        )
    detected.sheet = str(found.name)[:100]
    if not sheet and len(names) > 1:
        detected.notes.append(f"the workbook has {len(names)} sheets; {detected.sheet!r} was read")
    if found.width > _MAX_COLUMNS:
        reason = f"the sheet has {found.width} columns; at most {_MAX_COLUMNS} are allowed"
        raise FileRefused("too_many_columns", reason, "remove empty columns")
    return found


def _with_formulas(path: Path, sheet: str, detected: Detected) -> Iterator[list[Any]]:
    """The rows with the text of each formula: calamine gives its last result, or nothing where there is none."""
    count = 0
    try:
        with path.open("rb") as file:
            # openpyxl judges a path by its ending.
            for row in openpyxl.load_workbook(file, read_only=True)[sheet].iter_rows():
                count += sum(cell.data_type == "f" for cell in row)
                yield [getattr(cell.value, "text", cell.value) for cell in row]
    except (InvalidFileException, SyntaxError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"the workbook cannot be read: {str(error)[:200]}"
        raise FileRefused("damaged_workbook", reason, "save it again with a spreadsheet program") from None
    if count:
        detected.notes.append(f"{count} cells are formulas: their text was read, not their result")


def _records(rows: Iterator[list[Any]], detected: Detected, limits: Limits) -> Iterator[Block]:
    block: list[RawRow] = []
    for number, cells in enumerate(rows, start=1):
        detected.numeric_cells += sum(isinstance(cell, float | int) and not isinstance(cell, bool) for cell in cells)
        texts = [text(cell) for cell in cells]
        if not any(texts):
            continue
        if not detected.columns:
            detected.columns = header(texts)
            continue
        block.append(record(number, texts, detected.columns, limits, f"{detected.sheet[:30]}!A{number}"))
        if len(block) >= _ROWS_IN_BLOCK:
            yield block
            block = []
    if detected.numeric_cells:
        detected.notes.append(
            f"{detected.numeric_cells} cells are numbers: a spreadsheet keeps 15 digits of them and no leading zeros"
        )
    if block:
        yield block


def text(cell: Any) -> str:
    """A cell as text: 7.0 is `7`, a truth value is `TRUE`, a date is in ISO form."""
    if cell is None or isinstance(cell, str):
        return cell or ""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime.datetime | datetime.date | datetime.time):
        return cell.isoformat()
    return str(cell)


def _refuse_bombs(path: Path, limits: Limits) -> bool:
    """Unpack every part once, counting: a declared size can lie, and an entity can expand.

    Returns whether a sheet of an xlsx file has formulas.
    """
    total, has_formulas = 0, False
    archive = guarded("zip", lambda: zipfile.ZipFile(path))
    for member in archive.infolist():
        if member.flag_bits & 1:
            raise FileRefused("encrypted", "the workbook is encrypted", "save it without a password")
        if member.filename.startswith(("xl/media/", "Pictures/", "Thumbnails/")):
            continue
        with guarded("zip", lambda member=member: archive.open(member)) as part:
            tail = b""
            while chunk := guarded("zip", lambda part=part: part.read(MIB)):
                total += len(chunk)
                if total > limits.workbook:
                    reason = f"the workbook unpacks to more than {limits.workbook // MIB} MiB"
                    raise FileRefused("workbook_too_large", reason, "save the sheet as CSV: it is read as a stream")
                if b"<!DOCTYPE" in tail + chunk or b"<!ENTITY" in tail + chunk:
                    raise FileRefused(
                        "entities", "the workbook defines XML entities", "save it again with a spreadsheet program"
                    )
                in_sheet = member.filename.startswith("xl/worksheets/")
                has_formulas |= in_sheet and _FORMULA.search(tail + chunk) is not None
                tail = chunk[-16:]
    return has_formulas
