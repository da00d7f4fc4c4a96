"""Writes a reviewer's items as a workbook to be filled in."""

import io
import json
from collections.abc import Sequence
from typing import Any

from openpyxl import Workbook
from openpyxl.cell.cell import Cell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from services.review.panels.assignments import Assigned
from services.review.policies.domain.rubric import Rubric
from services.review.workbook.layout import COMMENT, ID, SCORE, SHEET, cells, header

FILL_IN = PatternFill("solid", fgColor="FFF8E1")
WIDTHS = {ID: 16, COMMENT: 40}


def write(items: Sequence[Assigned], rubric: Rubric) -> bytes:
    """An xlsx file with one row an item. Scores given before are filled in."""
    texts = [
        [cells(text) for text in (_prompt(each.item.prompt), each.item.reference, each.item.answer)] for each in items
    ]
    parts = max((len(part) for row in texts for part in row), default=1)
    book = Workbook()
    sheet: Any = book.active
    sheet.title = SHEET
    names = header(rubric, parts)
    for place, name in enumerate(names, start=1):
        _text(sheet.cell(1, place), name).font = Font(bold=True)
        sheet.column_dimensions[get_column_letter(place)].width = WIDTHS.get(name, 12 if name.startswith(SCORE) else 60)
    for row, (assigned, split) in enumerate(zip(items, texts, strict=True), start=2):
        _row(sheet, row, assigned, rubric, [(each + [""] * parts)[:parts] for each in split])
    _limit_scores(sheet, rubric, len(items) + 1)
    _explain(book, rubric)
    sheet.freeze_panes = sheet.cell(2, 2)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _row(sheet: Any, row: int, assigned: Assigned, rubric: Rubric, texts: list[list[str]]) -> None:
    _text(sheet.cell(row, 1), assigned.item.id)
    given = assigned.score.points if assigned.score else {}
    for place, name in enumerate(rubric.names, start=2):
        cell = sheet.cell(row, place, given.get(name))
        cell.fill = FILL_IN
    comment = sheet.cell(row, len(rubric.names) + 2)
    _text(comment, cells(assigned.score.comment if assigned.score else "")[0]).fill = FILL_IN
    for place, text in enumerate((part for parts in texts for part in parts), start=len(rubric.names) + 3):
        _text(sheet.cell(row, place), text)


def _text(cell: Cell, text: str) -> Cell:
    """A cell that is text whatever it looks like: `=1+1` stays a text and `007` keeps its zeros."""
    cell.value = text or None
    if text:
        cell.data_type = "s"
    cell.number_format = "@"
    cell.quotePrefix = text.startswith("=")
    cell.alignment = Alignment(wrap_text=True, vertical="top")
    return cell


def _limit_scores(sheet: Any, rubric: Rubric, last_row: int) -> None:
    rule = DataValidation(
        type="whole", operator="between", formula1=str(rubric.lowest), formula2=str(rubric.highest), allow_blank=True
    )
    rule.error = f"a whole number from {rubric.lowest} to {rubric.highest}"
    sheet.add_data_validation(rule)
    rule.add(f"B2:{get_column_letter(len(rubric.names) + 1)}{max(last_row, 2)}")


def _explain(book: Workbook, rubric: Rubric) -> None:
    sheet: Any = book.create_sheet("How to score")
    lines = ["Fill in the yellow cells. Leave an item empty to score it later. Changes of texts are ignored."]
    for criterion in rubric.criteria:
        lines.append(f"{criterion.label or criterion.name} ({criterion.weight} %): {criterion.question}")
        lines.extend(f"{level} = {anchor}" for level, anchor in zip(rubric.levels, criterion.anchors, strict=False))
    for row, line in enumerate(lines, start=1):
        _text(sheet.cell(row, 1), line)
    sheet.column_dimensions["A"].width = 100


def _prompt(prompt: Any) -> str:
    if isinstance(prompt, str):
        return prompt
    if isinstance(prompt, list) and all(isinstance(each, dict) for each in prompt):
        return "\n\n".join(f"{each.get('role', '')}: {each.get('content', '')}" for each in prompt)
    return json.dumps(prompt, ensure_ascii=False)
