"""Tables of questions: JSON Lines, CSV and Excel, read as text."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from pydantic import ValidationError
from python_calamine import CalamineError, CalamineWorkbook

from services.review.questions.domain.question_set import BadQuestions, Question, check_questions
from shared.unpacked_size import unpacked_bytes
from shared.whole_number import whole_number

Format = Literal["jsonl", "csv", "xlsx"]
SCORE = "score."
COLUMNS = ("id", "prompt", "expected", "tags", "answer")
SYNONYMS = {"question": "prompt", "input": "prompt", "reference": "expected", "output": "expected"}
MAX_ERRORS = 100
MAX_UNPACKED_BYTES = 64 * 1024**2


def read_questions(content: bytes, format: Format) -> list[Question]:
    """The questions of a file; raises `BadQuestions`. Rows count from 1, without the header of a table.

    A row without an id gets `q-<row>`. A column `score.<criterion>` holds known scores of `answer`.
    """
    rows = {"jsonl": _json_rows, "csv": _csv_rows, "xlsx": _xlsx_rows}[format]
    questions: list[Question] = []
    errors: list[dict[str, Any]] = []
    for number, row in enumerate(rows(content), start=1):
        try:
            questions.append(question := Question.model_validate({"id": f"q-{number}", **row}))
            if not question.prompt:
                errors.append({"row": number, "column": "prompt", "reason": "empty"})
        except ValidationError as error:
            errors.extend(
                {"row": number, "column": ".".join(map(str, each["loc"])), "reason": each["msg"]}
                for each in error.errors()
            )
        if len(errors) >= MAX_ERRORS:
            break
    if errors:
        raise BadQuestions(errors[:MAX_ERRORS])
    check_questions(questions)
    return questions


def _json_rows(content: bytes) -> Iterator[dict[str, Any]]:
    # Only \n ends a line: U+2028 and U+0085 are text.
    for number, line in enumerate((each for each in content.split(b"\n") if each.strip()), start=1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _refused(number, "", f"not JSON: {error}") from None
        if not isinstance(row, dict):
            raise _refused(number, "", "not a JSON object")
        named: dict[str, Any] = row
        yield {SYNONYMS.get(name, name): value for name, value in named.items()}


def _csv_rows(content: bytes) -> Iterator[dict[str, Any]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(0, "", f"not UTF-8: {error}") from None
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    try:
        yield from _table_rows(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise _refused(0, "", f"not CSV: {error}") from None


def _xlsx_rows(content: bytes) -> Iterator[dict[str, Any]]:
    if unpacked_bytes(content) > MAX_UNPACKED_BYTES:
        raise _refused(0, "", f"unpacks to more than {MAX_UNPACKED_BYTES} bytes")
    try:
        sheet = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0)
    except (CalamineError, OSError, ValueError) as error:
        raise _refused(0, "", f"not an Excel file: {error}") from None
    yield from _table_rows([cell_text(cell) for cell in row] for row in sheet.to_python())


def _table_rows(rows: Iterable[Sequence[str]]) -> Iterator[dict[str, Any]]:
    table = iter(rows)
    header = [_column(name) for name in next(table, ())]
    if "prompt" not in header:
        raise _refused(0, "prompt", f"the first row names no column 'prompt'; it names {', '.join(header)[:200]}")
    if unknown := [name for name in header if name not in COLUMNS and not name.startswith(SCORE)]:
        raise _refused(
            0, unknown[0][:64], f"unknown column; the columns are {', '.join(COLUMNS)} and {SCORE}<criterion>"
        )
    for number, cells in enumerate(table, start=1):
        if any(cell.strip() for cell in cells):
            yield _row(number, dict(zip(header, cells, strict=False)))


def _column(name: str) -> str:
    plain = name.strip().lower()
    return SYNONYMS.get(plain, plain)


def _row(number: int, cells: dict[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {name: cells[name] for name in ("id", "prompt", "expected", "answer") if cells.get(name)}
    if tags := [tag.strip() for tag in cells.get("tags", "").split(",") if tag.strip()]:
        row["tags"] = tags
    scores = {name.removeprefix(SCORE): cell for name, cell in cells.items() if name.startswith(SCORE) and cell}
    read = {name: whole_number(cell) for name, cell in scores.items()}
    if wrong := next((name for name, score in read.items() if score is None), None):
        raise _refused(number, SCORE + wrong, f"must be a whole number, not {scores[wrong]!r:.100}")
    return {**row, "scores": read}


def cell_text(cell: Any) -> str:
    """A spreadsheet's cell as text. A whole number loses its `.0`; a numeric cell never had leading zeros."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell)


def _refused(row: int, column: str, reason: str) -> BadQuestions:
    return BadQuestions([{"row": row, "column": column, "reason": reason}])
