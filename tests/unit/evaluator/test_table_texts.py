"""Texts of tables in every format: unusual line separators are text, an empty or NaN reference is a bad row."""

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import Any

import openpyxl
import pytest

from services.evaluator.scoring.domain.item import CannotBeScored, read_items
from services.evaluator.suites.adapters.tables import read_table
from services.evaluator.suites.domain.task import Format, read_task
from services.evaluator.suites.domain.task_items import items_of

FORMATS: tuple[Format, ...] = ("csv", "json", "jsonl", "xlsx")
SEPARATORS = "one\u2028two\u2029three\u0085four\x0bfive\x0csix"
# Excel's XML cannot hold a vertical tab or a form feed.
SEPARATORS_OF_EXCEL = "one\u2028two\u2029three\u0085four"


def table(format: Format, rows: Sequence[dict[str, Any]]) -> bytes:
    if format == "json":
        return json.dumps(rows, ensure_ascii=False).encode()
    if format == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    if format == "csv":
        written = io.StringIO(newline="")
        writer = csv.DictWriter(written, ["question", "answer"])
        writer.writeheader()
        writer.writerows(rows)
        return written.getvalue().encode()
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (("question", "answer"), *((each["question"], each["answer"]) for each in rows)):
        book.active.append(row)
    saved = io.BytesIO()
    book.save(saved)
    return saved.getvalue()


@pytest.mark.parametrize("format", FORMATS)
def test_line_separators_of_unicode_are_text(format: Format) -> None:
    text = SEPARATORS_OF_EXCEL if format == "xlsx" else SEPARATORS
    rows = [{"question": text, "answer": f"{text}!"}, {"question": "q", "answer": "a"}]
    assert read_table(table(format, rows), format) == rows


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("empty", [None, "", "  ", "NaN", math.nan])
def test_an_empty_or_nan_reference_is_a_bad_row(format: Format, empty: object) -> None:
    if format == "xlsx" and isinstance(empty, float):
        empty = "nan"
    rows = read_table(table(format, [{"question": "q", "answer": "a"}, {"question": "r", "answer": empty}]), format)
    task = read_task({"name": "faq", "data": {"rows": [{"question": "q", "answer": "a"}]}})
    with pytest.raises(CannotBeScored, match="'answer' is empty or NaN in row 2") as refused:
        items_of(task, rows, [], lambda values: str(values["question"]))
    assert refused.value.code == "bad_row"


@pytest.mark.parametrize("answer", ['""', "null", "NaN", '" "'])
def test_questions_of_a_request_are_split_at_line_ends_alone_and_need_an_answer(answer: str) -> None:
    good = json.dumps({"question": SEPARATORS, "answer": "a"}, ensure_ascii=False)
    assert read_items(good.encode())[0].question == SEPARATORS
    with pytest.raises(CannotBeScored, match="line 2: the answer is empty or NaN") as refused:
        read_items(f'{good}\n{{"question": "q", "answer": {answer}}}\n'.encode())
    assert refused.value.code == "bad_row"


@pytest.mark.parametrize("row", [r'{"question": "\ud800"}', r'{"a": {"b": ["\udfff"]}}', r'{"\ud800": 1}'])
def test_a_row_with_half_a_surrogate_pair_is_refused_and_named(row: str) -> None:
    good = r'{"question": "\ud83d\ude00", "answer": "a"}'
    assert read_table(good.encode(), "jsonl")[0]["question"] == "\N{GRINNING FACE}"
    for content, format in ((f"{good}\n{row}\n", "jsonl"), (f"[{good}, {row}]", "json")):
        with pytest.raises(CannotBeScored, match="row 2 has text that is not valid Unicode"):
            read_table(content.encode(), "jsonl" if format == "jsonl" else "json")
