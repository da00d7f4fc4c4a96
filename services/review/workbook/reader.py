"""Reads the scores of a workbook that was filled in: by id, cell by cell, and refuses what is not a score."""

import io
from dataclasses import dataclass
from typing import Any

from openpyxl import load_workbook

from services.review.policies.domain.rubric import Rubric
from services.review.workbook.layout import COMMENT, ID, SCORE, SHEET
from shared.unpacked_size import unpacked_bytes
from shared.whole_number import whole_number

MAX_ERRORS = 100
MAX_UNPACKED_BYTES = 64 * 1024**2
MAX_ROWS = 10_000


class BadWorkbook(ValueError):
    """Cells that cannot be read; nothing of the workbook is stored. `errors` name cell and reason."""

    def __init__(self, errors: list[dict[str, str]]) -> None:
        super().__init__(f"{errors[0]['cell']}: {errors[0]['reason']}; {len(errors)} errors in all")
        self.errors = errors[:MAX_ERRORS]


@dataclass(frozen=True)
class FilledRow:
    """The scores of one item."""

    item_id: str
    points: dict[str, int]
    comment: str


def read(content: bytes, rubric: Rubric) -> list[FilledRow]:
    """The rows with scores, in any order; rows without a score are left out. Raises `BadWorkbook`."""
    sheet = _sheet(content)
    errors = [{"cell": str(merged), "reason": "merged cells: split them"} for merged in sheet.merged_cells.ranges]
    columns = _columns(sheet, rubric)
    rows: list[FilledRow] = []
    seen: dict[str, str] = {}
    for cells in sheet.iter_rows(min_row=2, max_row=MAX_ROWS):
        try:
            if (row := _row(cells, columns, rubric, seen)) is not None:
                rows.append(row)
        except BadWorkbook as error:
            errors.extend(error.errors)
    if errors:
        raise BadWorkbook(errors)
    return rows


def _sheet(content: bytes) -> Any:
    if unpacked_bytes(content) > MAX_UNPACKED_BYTES:
        raise BadWorkbook([{"cell": "", "reason": f"unpacks to more than {MAX_UNPACKED_BYTES} bytes"}])
    try:
        book: Any = load_workbook(io.BytesIO(content))
        return book[SHEET] if SHEET in book.sheetnames else book.worksheets[0]
    except Exception as error:
        # openpyxl raises many kinds of exceptions for broken workbooks.
        reason = f"not an Excel workbook (xlsx): {type(error).__name__}: {error!s:.300}"
        raise BadWorkbook([{"cell": "", "reason": reason}]) from None


def _columns(sheet: Any, rubric: Rubric) -> dict[str, int]:
    names = {str(cell.value).strip(): place for place, cell in enumerate(sheet[1]) if cell.value is not None}
    wanted = [ID, *(SCORE + name for name in rubric.names)]
    if missing := [name for name in wanted if name not in names]:
        raise BadWorkbook([{"cell": "1:1", "reason": f"there is no column {missing[0]!r}"}])
    return names


def _row(cells: Any, columns: dict[str, int], rubric: Rubric, seen: dict[str, str]) -> FilledRow | None:
    id_cell = cells[columns[ID]]
    scores = {name: cells[columns[SCORE + name]] for name in rubric.names}
    filled = {name: cell for name, cell in scores.items() if cell.value not in (None, "")}
    if not filled:
        return None
    item_id = _id(id_cell)
    if (before := seen.setdefault(item_id, id_cell.coordinate)) != id_cell.coordinate:
        raise _refused(id_cell, f"the id {item_id!r} is also in {before}")
    if missing := [cell for name, cell in scores.items() if name not in filled]:
        raise _refused(missing[0], "empty: an item is scored on all criteria or on none")
    comment = cells[columns[COMMENT]].value if COMMENT in columns else None
    return FilledRow(item_id, {name: _level(cell, rubric) for name, cell in filled.items()}, str(comment or ""))


def _id(cell: Any) -> str:
    if not isinstance(cell.value, str):
        shown = "empty" if cell.value is None else f"{cell.value!r}, not a text any more"
        raise _refused(cell, f"the id is {shown}: copy it from the workbook as it was handed out")
    return cell.value


def _level(cell: Any, rubric: Rubric) -> int:
    value = whole_number(cell.value.strip()) if isinstance(cell.value, str) else cell.value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or value not in rubric.levels:
        raise _refused(
            cell, f"must be a whole number from {rubric.lowest} to {rubric.highest}, not {cell.value!r:.100}"
        )
    return value


def _refused(cell: Any, reason: str) -> BadWorkbook:
    return BadWorkbook([{"cell": cell.coordinate, "reason": reason}])
