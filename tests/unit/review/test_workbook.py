"""The workbook out and in: by id, cell by cell."""

import io
import shutil
import subprocess
from datetime import date
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from openpyxl import load_workbook
from python_calamine import CalamineWorkbook

from services.review.panels.assignments import Assigned
from services.review.panels.domain.item import Item
from services.review.panels.domain.scorecard import Score
from services.review.policies.domain.rubric import Rubric
from services.review.workbook.layout import CELL_LIMIT, MARK, cells
from services.review.workbook.reader import BadWorkbook, read
from services.review.workbook.writer import write

RUBRIC = Rubric()
HARD_IDS = ["007", "1E5", "2031-02-03", "=1+1", "item-1", "四"]
FORMULA = '=HYPERLINK("http://evil.example","click")'
POINTS = {"accuracy": 4, "politeness": 5, "usefulness": 1}


def item(item_id: str, answer: str = "a") -> Assigned:
    return Assigned(Item(id=item_id, prompt=[{"role": "user", "content": "q"}], reference="r", answer=answer), "item")


def filled(content: bytes, **changes: Any) -> bytes:
    """The workbook with cells changed, by address."""
    book = load_workbook(io.BytesIO(content))
    for address, value in changes.items():
        book["Scores"][address] = value
    return saved(book)


def saved(book: Any) -> bytes:
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def test_ids_scores_and_comments_come_back_sign_by_sign() -> None:
    comment = "  =SUM(A1)\n'quoted'\tçŵ 好 🎉"
    given = [
        Assigned(each.item, "item", Score(points=POINTS, comment=comment)) for each in (item(one) for one in HARD_IDS)
    ]
    rows = read(write(given, RUBRIC), RUBRIC)
    assert [row.item_id for row in rows] == HARD_IDS
    assert all(row.points == POINTS and row.comment == comment for row in rows)


def test_a_half_filled_and_sorted_workbook_gives_the_filled_items_by_id() -> None:
    content = filled(write([item(one) for one in HARD_IDS], RUBRIC), B3=5, C3="4", D3=3.0, B6=1, C6=1, D6=1, E6="x")
    book = load_workbook(io.BytesIO(content))
    sheet = book["Scores"]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
    for place, row in enumerate(sorted(rows, key=str, reverse=True), start=2):
        for column, value in enumerate(row, start=1):
            sheet.cell(place, column).value = value
    found = {row.item_id: row for row in read(saved(book), RUBRIC)}
    assert set(found) == {"1E5", "item-1"}
    assert found["1E5"].points == {"accuracy": 5, "politeness": 4, "usefulness": 3}
    assert found["item-1"].comment == "x"


@pytest.mark.parametrize("bad", ["4,0", "five", date(2026, 4, 5), 6, 0, 3.5, True, "=2+2", "9" * 5000])
def test_a_cell_that_is_not_a_score_is_refused_by_its_address(bad) -> None:
    content = filled(write([item("a"), item("b")], RUBRIC), B3=bad, C3=4, D3=4)
    with pytest.raises(BadWorkbook, match=r"^B3: must be a whole number from 1 to 5") as refused:
        read(content, RUBRIC)
    assert refused.value.errors[0]["cell"] == "B3"


def test_half_an_item_a_doubled_id_an_id_made_a_number_and_merged_cells_are_refused() -> None:
    content = write([item("007"), item("b")], RUBRIC)
    full = {"B2": 1, "C2": 1, "D2": 1, "B3": 1, "C3": 1, "D3": 1}
    for changes, cell in (
        ({"B2": 4}, "C2"),
        ({**full, "A3": "007"}, "A3"),
        ({**full, "A2": 7}, "A2"),
    ):
        with pytest.raises(BadWorkbook, match=rf"^{cell}: "):
            read(filled(content, **changes), RUBRIC)
    book = load_workbook(io.BytesIO(content))
    book["Scores"].merge_cells("B2:B3")
    with pytest.raises(BadWorkbook, match=r"^B2:B3: merged cells"):
        read(saved(book), RUBRIC)


def packed(**files: bytes) -> bytes:
    content = io.BytesIO()
    with ZipFile(content, "w", ZIP_DEFLATED) as packing:
        for name, text in files.items():
            packing.writestr(name, text)
    return content.getvalue()


BROKEN = packed(**{"[Content_Types].xml": b"<a>", "xl/workbook.xml": b"<a>"})


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"a,b\n1,2\n", BROKEN, packed()])
def test_what_is_not_a_workbook_is_refused(content) -> None:
    with pytest.raises(BadWorkbook, match="not an Excel workbook"):
        read(content, RUBRIC)


def test_a_workbook_that_unpacks_to_too_much_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(BadWorkbook, match="unpacks to more than"):
        read(packed(**{"xl/workbook.xml": b"<a>" + b" " * (65 * 1024**2)}), RUBRIC)


def test_formulas_in_answers_are_text() -> None:
    content = write([item("a", FORMULA), item("b", "+1"), item("c", "@SUM(1)")], RUBRIC)
    sheet = load_workbook(io.BytesIO(content))["Scores"]
    answers = [row[-1] for row in sheet.iter_rows(min_row=2)]
    assert [cell.value for cell in answers] == [FORMULA, "+1", "@SUM(1)"]
    assert all(cell.data_type == "s" for cell in answers)


def test_long_answers_are_split_and_signs_that_a_workbook_cannot_hold_are_marked() -> None:
    long = "好" * (2 * CELL_LIMIT) + "\x0b🎉"
    parts = cells(long)
    assert all(len(part.encode("utf-16-le")) // 2 <= CELL_LIMIT for part in parts)
    assert "".join(part.removesuffix(" […goes on in the next column]") for part in parts) == long.replace("\x0b", MARK)
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(write([item("a", long)], RUBRIC))).get_sheet_by_name("Scores")
    assert sheet.to_python()[1][-1].endswith("🎉")


SOFFICE = shutil.which("soffice") or shutil.which("libreoffice")


@pytest.mark.skipif(SOFFICE is None, reason="install LibreOffice Calc: apt-get install libreoffice-calc-nogui")
def test_a_workbook_that_libreoffice_opened_and_saved_is_read_as_before(tmp_path: Path) -> None:
    assert SOFFICE is not None
    given = [Assigned(each.item, "item", Score(points=POINTS, comment="=1+1")) for each in map(item, HARD_IDS)]
    (tmp_path / "book.xlsx").write_bytes(write([*given, item("z", FORMULA)], RUBRIC))
    out = tmp_path / "out"
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    command = [
        SOFFICE,
        profile,
        "--headless",
        "--convert-to",
        "xlsx",
        "--outdir",
        str(out),
        str(tmp_path / "book.xlsx"),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    content = (out / "book.xlsx").read_bytes()
    rows = read(content, RUBRIC)
    assert [row.item_id for row in rows] == HARD_IDS
    assert all(row.points == POINTS and row.comment == "=1+1" for row in rows)
    answers = [row[-1].value for row in load_workbook(io.BytesIO(content))["Scores"].iter_rows(min_row=2)]
    assert answers[-1] == FORMULA
