"""Every format with every shape: rows are written as a real file, read back, and are what they were."""

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.checks.finding_log import FindingLog
from services.ingest.checks.row_checker import CheckOptions, RowChecker
from services.ingest.exports.export import MEDIA_TYPES, write_rows
from services.ingest.exports.formulas import neutralised
from services.ingest.exports.workbook_file import can_hold
from services.ingest.pages.example_rows import example_rows
from services.ingest.reading.limits import Limits
from services.ingest.reading.sources import ReadOptions, open_source
from services.ingest.shapes.canonical import KINDS, Row, decode
from services.ingest.shapes.catalog import SHAPES
from tests.prepared import check

FORMATS = tuple(MEDIA_TYPES)
TOOL = {"type": "function", "function": {"name": "查询", "parameters": {"type": "object", "properties": {}}}}


def conversation(n: int, **others: Any) -> dict[str, Any]:
    question, answer = f'第{n}号商品怎么退货?line\nbreak, "quoted"; {n * 7919}', f"请使用标签 {n}。=1+1"
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}], **others}


def with_calls(n: int) -> dict[str, Any]:
    call = {"id": "call_1", "type": "function", "function": {"name": "查询", "arguments": json.dumps({"n": n})}}
    messages = [
        {"role": "system", "content": "你是客服。"},
        {"role": "user", "content": f"订单 {n * 7919} 在哪里"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": '{"在": "路上"}', "tool_call_id": "call_1"},
        {"role": "assistant", "content": f"订单 {n} 在路上。"},
    ]
    return {"messages": messages, "tools": [TOOL]}


def preference(n: int) -> dict[str, Any]:
    question = {"messages": [{"role": "user", "content": f"第{n * 7919}个问题是什么?"}]}
    good, bad = ({"role": "assistant", "content": f"{word}{n}"} for word in ("好", "坏"))
    return {"input": question, "preferred_output": [good], "non_preferred_output": [bad]}


def labelled(n: int) -> dict[str, Any]:
    question = {"messages": [{"role": "user", "content": f"第{n * 7919}个问题是什么?"}]}
    return {"input": question, "output": [{"role": "assistant", "content": f"答案{n}"}], "label": n % 2 == 0}


def rows_of(shape: str) -> tuple[str, list[Row]]:
    """Rows that the shape can hold, of its kind, in the canonical form."""
    made = {
        "chat": ("chat", with_calls),
        "sharegpt": ("chat", with_calls),
        "alpaca": ("chat", conversation),
        "prompt_completion": ("chat", conversation),
        "input_output": ("chat", conversation),
        "text": ("text", lambda n: {"text": f"第{n}篇文章,\n共 {n * 7919} 字。"}),
        "preference_openai": ("preference", preference),
        "preference": ("preference", preference),
        "rejected_response": ("preference", preference),
        "unpaired": ("unpaired", labelled),
    }
    kind, make = made[shape]
    return kind, [decode(kind, json.dumps(make(n)).encode()) for n in range(14)]


def written(rows: list[Row], shape: str, file_format: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows"
        counted = write_rows(path, rows, SHAPES[shape], file_format, "keep")  # type: ignore[arg-type]
        assert (counted.written, counted.left_out) == (len(rows), 0)
        return path.read_bytes()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("file_format", FORMATS)
def test_a_file_of_this_format_and_shape_is_read_as_it_was_written(file_format: str, shape: str) -> None:
    kind, rows = rows_of(shape)
    content = written(rows, shape, file_format)
    for packed in (content, gzip.compress(content)):
        checked = check(packed, f"rows.{file_format}")
        assert not checked.refused, checked.report.errors[:3]
        assert checked.report.kind == kind
        assert checked.report.shapes == {shape: len(rows)}
        assert checked.report.detected["format"] == file_format
        assert [decode(kind, json.dumps(row).encode()) for row in checked.rows] == rows


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=40).filter(
    lambda text: bool(text.strip())
)
MESSAGES = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=3)


@st.composite
def conversations(draw: st.DrawFn) -> dict[str, Any]:
    messages: list[dict[str, Any]] = []
    if draw(st.booleans()):
        messages.append({"role": "system", "content": draw(TEXT)})
    for question, answer in draw(MESSAGES):
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    if draw(st.booleans()):
        messages[-1]["name"] = draw(TEXT)
    if len(messages) > 3 and draw(st.booleans()):
        next(one for one in messages if one["role"] == "assistant")["weight"] = 0
    return {"messages": messages}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(conversations(), min_size=1, max_size=4),
    st.sampled_from(FORMATS),
    st.sampled_from(("chat", "sharegpt", "alpaca", "prompt_completion", "input_output")),
)
def test_any_conversation_that_a_shape_holds_comes_back_from_any_format(
    objects: list[dict[str, Any]], file_format: str, shape: str
) -> None:
    rows = [decode("chat", json.dumps(one).encode()) for one in objects]
    records = [(row, SHAPES[shape].write(row)) for row in rows]
    workbook = file_format in ("xlsx", "ods")
    held = [row for row, record in records if record is not None and (not workbook or can_hold(record))]
    if not held:
        return
    content = written(held, shape, file_format)
    assert rows_read(content, file_format, shape) == held


def rows_read(content: bytes, file_format: str, shape: str) -> list[Row]:
    """The canonical rows of a file, whatever their number."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "upload").write_bytes(content)
        checker = RowChecker(CheckOptions(shape=shape), FindingLog(folder / "findings"))
        source = open_source(folder / "upload", f"rows.{file_format}", ReadOptions(), Limits(), folder)
        batches = [batch for block in source.blocks for batch in checker.check(block)]
        return [decode(checker.kind, line) for batch in batches for line in batch.lines]


def test_a_cell_that_looks_like_a_formula_is_neutralised_by_default() -> None:
    starts = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]
    assert [neutralised(cell) for cell in starts] == [f"'{cell}" for cell in starts]
    assert neutralised("1=1") == "1=1"


def test_every_kind_has_a_shape_that_holds_all_its_rows() -> None:
    openai = {"chat": "chat", "text": "text", "preference": "preference_openai", "unpaired": "unpaired"}
    assert set(openai) == set(KINDS)
    for kind, shape in openai.items():
        found, rows = rows_of(shape)
        assert found == kind
        assert all(SHAPES[shape].write(row) is not None for row in rows)


def test_the_page_shows_a_row_of_every_shape_that_the_check_accepts() -> None:
    shown = dict(example_rows())
    assert set(shown) == set(SHAPES)
    for name, row in shown.items():
        content = "\n".join([row] * 10).encode()
        found = check(content, near=False, measured=False)
        assert found.report.counts.dropped == 0, name
        assert found.report.shapes == {name: 10}
