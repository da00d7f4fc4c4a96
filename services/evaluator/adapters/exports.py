"""Comparisons as files: items as CSV, or a workbook of scores, subjects and items."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, WriteOnlyCell
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from services.evaluator.domain.comparing import Change, Table

MOST_CHARACTERS = 32_000
"""A cell of Excel holds a few more."""


def as_csv(table: Table, items: Sequence[Change]) -> bytes:
    """One line an item, UTF-8 with the mark that Excel looks for. No text can act as a formula."""
    file = io.StringIO(newline="")
    csv.writer(file).writerows([_safe(value) for value in row] for row in _item_rows(table, items))
    return file.getvalue().encode("utf-8-sig", errors="replace")


def as_xlsx(table: Table, items: Sequence[Change]) -> bytes:
    """Three sheets. Texts are kept as texts, whatever they begin with, and cut where a cell ends."""
    book = Workbook(write_only=True)
    for title, rows in (
        ("scores", _score_rows(table)),
        ("subjects", _subject_rows(table)),
        ("items", _item_rows(table, items)),
    ):
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append([_cell(sheet, value) for value in row])
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def _score_rows(table: Table) -> list[list[Any]]:
    first, *others = table.models
    header = ["metric", "n", *table.models]
    header += [f"{name}: {what}" for name in others for what in ("difference", "p adjusted", "verdict")]
    tests = {name: {test.metric: test for test in table.comparisons[name]} for name in others}
    rows: list[list[Any]] = [header]
    for metric, scores in table.scores.items():
        n = scores[first].n if first in scores else None
        row: list[Any] = [metric, n, *(scores[name].value if name in scores else None for name in table.models)]
        for name in others:
            test = tests[name].get(metric)
            row += [test.difference, test.p_adjusted, test.verdict] if test else [None, None, None]
        rows.append(row)
    return rows


def _subject_rows(table: Table) -> list[list[Any]]:
    rows: list[list[Any]] = [["metric", "subject", *table.models]]
    for metric, subjects in table.subjects.items():
        for subject, scores in subjects.items():
            rows.append([metric, subject, *(scores[n].value if n in scores else None for n in table.models)])
    return rows


def _item_rows(table: Table, items: Sequence[Change]) -> list[list[Any]]:
    metrics = sorted({name for item in items for scores in item.scores.values() for name in scores})
    header = ["task", "item", "subject", "question", "reference", "better than first", "worse than first"]
    header += [f"{name}: {what}" for name in table.models for what in ("answer", *metrics)]
    rows: list[list[Any]] = [header]
    for item in items:
        told = [item.task, item.place, item.subject, item.question, item.reference]
        row: list[Any] = [*told, ", ".join(item.gained), ", ".join(item.lost)]
        for name in table.models:
            row += [item.answers[name], *(item.scores[name].get(metric) for metric in metrics)]
        rows.append(row)
    return rows


def _safe(value: Any) -> Any:
    # A spreadsheet takes such a beginning for a formula.
    risky = isinstance(value, str) and value.lstrip()[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if risky else value


def _cell(sheet: WriteOnlyWorksheet, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = ILLEGAL_CHARACTERS_RE.sub("", value.encode(errors="replace").decode())[:MOST_CHARACTERS]
    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"
    return cell
