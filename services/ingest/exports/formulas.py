"""Exported text stays text: no spreadsheet runs it as a formula."""

from typing import Any

from openpyxl.cell import WriteOnlyCell

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def neutralised(cell: str) -> str:
    """For CSV and TSV, which have no types: a cell that starts like a formula gets an apostrophe."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


def text_cell(sheet: Any, text: str) -> Any:
    """For xlsx: a cell of the type text, whatever it starts with."""
    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"
    return cell
