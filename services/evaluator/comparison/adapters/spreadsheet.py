"""Comparisons as files: the items as CSV, or a workbook of scores, subjects and items."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, WriteOnlyCell
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from services.evaluator.comparison.domain.item_difference import ItemDifference
from services.evaluator.comparison.domain.side_by_side import SideBySide

MAX_CELL_CHARACTERS = 32_000
"""Excel's limit is 32 767."""


def as_csv(found: SideBySide, items: Sequence[ItemDifference]) -> bytes:
    """One line per item, UTF-8 with the byte order mark that Excel expects. No text can act as a formula."""
    file = io.StringIO(newline="")
    csv.writer(file).writerows([_safe(value) for value in row] for row in _item_rows(found, items))
    return file.getvalue().encode("utf-8-sig", errors="replace")


def as_xlsx(found: SideBySide, items: Sequence[ItemDifference]) -> bytes:
    """Three sheets. Texts stay texts, whatever they begin with, and are cut to a cell's limit."""
    book = Workbook(write_only=True)
    for title, rows in (
        ("scores", _score_rows(found)),
        ("subjects", _subject_rows(found)),
        ("items", _item_rows(found, items)),
    ):
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append([_cell(sheet, value) for value in row])
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def _score_rows(found: SideBySide) -> list[list[Any]]:
    first, *others = found.models
    header = ["metric", "n", *found.models]
    header += [f"{name}: {what}" for name in others for what in ("difference", "p adjusted", "verdict")]
    tests = {name: {test.metric: test for test in found.comparisons[name]} for name in others}
    rows: list[list[Any]] = [header]
    for metric, scores in found.scores.items():
        n = scores[first].n if first in scores else None
        row: list[Any] = [metric, n, *(scores[name].value if name in scores else None for name in found.models)]
        for name in others:
            test = tests[name].get(metric)
            row += [test.difference, test.p_adjusted, test.verdict] if test else [None, None, None]
        rows.append(row)
    return rows


def _subject_rows(found: SideBySide) -> list[list[Any]]:
    rows: list[list[Any]] = [["metric", "subject", *found.models]]
    for metric, subjects in found.subjects.items():
        for subject, scores in subjects.items():
            rows.append([metric, subject, *(scores[n].value if n in scores else None for n in found.models)])
    return rows


def _item_rows(found: SideBySide, items: Sequence[ItemDifference]) -> list[list[Any]]:
    metrics = sorted({name for item in items for scores in item.scores.values() for name in scores})
    header = ["task", "item", "subject", "question", "reference", "better than first", "worse than first"]
    header += [f"{name}: {what}" for name in found.models for what in ("answer", *metrics)]
    rows: list[list[Any]] = [header]
    for item in items:
        own = [item.task, item.place, item.subject, item.question, item.reference]
        row: list[Any] = [*own, ", ".join(item.gained), ", ".join(item.lost)]
        for name in found.models:
            row += [item.answers[name], *(item.scores[name].get(metric) for metric in metrics)]
        rows.append(row)
    return rows


def _safe(value: Any) -> Any:
    # Spreadsheets treat such a text as a formula.
    risky = isinstance(value, str) and value.lstrip()[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if risky else value


def _cell(sheet: WriteOnlyWorksheet, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = ILLEGAL_CHARACTERS_RE.sub("", value.encode(errors="replace").decode())[:MAX_CELL_CHARACTERS]
    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"
    return cell
