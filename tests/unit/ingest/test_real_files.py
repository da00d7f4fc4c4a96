"""A real file of each format with each shape, in Chinese, that other programs than Assay wrote.

The files in `tests/files/formats` were written by Python's csv and json, pyarrow and openpyxl; the ods files have the
XML that spreadsheet programs write. Each has twelve rows.
"""

import json
from pathlib import Path

import pytest

from services.ingest.exports.export import MEDIA_TYPES
from services.ingest.shapes.canonical import decode, prompt_and_answer
from services.ingest.shapes.catalog import SHAPES
from tests.prepared import check

FILES = Path(__file__).parents[2] / "files" / "formats"
ROWS = 12


def expected(shape: str, number: int) -> tuple[str, str]:
    """The end of a row's question, and its answer."""
    if shape == "text":
        return f"第{number}篇文章，\n共 {number * 7919} 字。", ""
    return f'第{number}号商品怎么退货？"急", {number * 7919};\n谢谢', f"请使用标签 {number}。Label {number}"


def test_every_format_has_a_file_of_every_shape() -> None:
    assert {path.name for path in FILES.iterdir()} == {f"{shape}.{one}" for shape in SHAPES for one in MEDIA_TYPES}


@pytest.mark.parametrize("path", sorted(FILES.iterdir()), ids=lambda path: path.name)
def test_a_file_of_another_program_is_read_as_it_was_meant(path: Path) -> None:
    checked = check(path.read_bytes(), path.name)
    assert not checked.refused, checked.report.errors[:3]
    assert checked.report.detected["format"] == path.suffix.removeprefix(".")
    assert checked.report.shapes == {path.stem: ROWS}
    kind = checked.report.kind
    said = [prompt_and_answer(decode(kind, json.dumps(row).encode())) for row in checked.rows]
    for number, (prompt, answer) in enumerate(said):
        question, reply = expected(path.stem, number)
        assert prompt.endswith(question)
        assert answer == reply
