"""Files as people have them: encodings, dialects, wrappers, archives; cells stay text."""

import gzip
import io
import json
import zipfile

import pytest

from services.ingest.checks.row_checker import CheckOptions
from services.ingest.reading.sources import ReadOptions
from tests.prepared import Checked, check, filler, jsonl

ROWS = [
    ("问题一是什么", "答案一"),
    ("第二个问题呢", "答案二"),
    *((f"zeile {n * 7919} é“x”", f"antwort {n}") for n in range(12)),
]
LATIN = [(f"zeile {n * 7919} é", f"größe {n}") for n in range(14)]


def table(rows: list[tuple[str, str]], delimiter: str = ",", end: str = "\n") -> str:
    quoted = [delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    return end.join([f"prompt{delimiter}completion", *quoted, ""])


def said(checked: Checked) -> list[tuple[str, str]]:
    assert not checked.refused, checked.report.errors
    return [tuple(message["content"] for message in row["messages"]) for row in checked.rows]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.json"])
def test_unicode_encodings_are_detected(encoding: str, name: str) -> None:
    objects = [{"prompt": prompt, "completion": completion} for prompt, completion in ROWS]
    text = {
        "rows.csv": table(ROWS),
        "rows.jsonl": jsonl(objects).decode(),
        "rows.json": json.dumps(objects, ensure_ascii=False, indent=1),
    }[name]
    # UTF-16 without a mark is told by the NULs of Western text.
    body = (
        text
        if encoding in ("utf-8", "utf-8-sig", "utf-16")
        else text.replace("问题一是什么", "one").replace("第二个问题呢", "two")
    )
    checked = check(body.encode(encoding), name)
    assert len(said(checked)) == len(ROWS)
    assert checked.rows[3]["messages"][0]["content"] == ROWS[3][0]


@pytest.mark.parametrize(
    ("encoding", "rows"),
    [("gb18030", [(f"请问第{n}号商品怎么退货", f"请使用标签{n}") for n in range(14)]), ("cp1252", LATIN)],
)
@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_chinese_and_western_bytes_are_told_apart(encoding: str, rows: list[tuple[str, str]], name: str) -> None:
    objects = [{"prompt": prompt, "completion": completion} for prompt, completion in rows]
    text = table(rows) if name == "rows.csv" else jsonl(objects).decode()
    checked = check(text.encode(encoding), name)
    assert said(checked) == rows
    assert checked.report.detected["encoding"] == encoding


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters_are_detected(delimiter: str, end: str) -> None:
    rows = [(f"first, second; third | {n * 7919}\nnext line", f'say "x" {n}') for n in range(12)]
    checked = check(table(rows, delimiter, end).encode(), "rows.csv")
    assert said(checked) == rows
    assert checked.report.detected["delimiter"] == delimiter


def test_single_quotes_are_detected() -> None:
    lines = ["prompt,completion", *(f"'question, {n * 7919}','it''s {n}'" for n in range(12))]
    assert said(check("\n".join(lines).encode(), "rows.csv"))[0] == ("question, 0", "it's 0")


def test_cells_stay_the_text_that_they_are() -> None:
    values = [
        "null",
        "NA",
        "None",
        "nan",
        "TRUE",
        "007",
        "1e5",
        "12345678901234567890",
        "=1+1",
        "-",
        "0.10",
        "2024-01-02",
    ]
    rows = [(value, f"{value} said") for value in values]
    assert said(check(table(rows).encode(), "rows.csv")) == rows


def test_an_empty_cell_is_empty_and_refused_where_a_text_is_needed() -> None:
    content = table([*LATIN, ("question", "")]).encode()
    [error] = check(content, "rows.csv").report.errors
    assert (error.line, error.field, error.code) == (16, "completion", "empty")


@pytest.mark.parametrize("wrapper", ["rows", "data", "examples"])
@pytest.mark.parametrize("inner", [True, False])
def test_wrappers_are_unwrapped(wrapper: str, inner: bool) -> None:
    rows = [{"row_idx": n, "row": row, "truncated_cells": []} if inner else row for n, row in enumerate(filler())]
    document = {"features": [{"name": "messages"}], wrapper: rows, "num_rows_total": 12}
    checked = check(json.dumps(document).encode(), "rows.json")
    assert checked.rows == filler()
    assert checked.report.detected["wrapper"] == wrapper


def test_rows_of_lines_may_be_wrapped_too() -> None:
    assert check(jsonl({"row": row} for row in filler())).rows == filler()


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.txt"])
@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_is_read_whatever_the_name_says(name: str, indent: int | None) -> None:
    assert check(json.dumps(filler(), indent=indent).encode(), name).rows == filler()


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "x"])
def test_archives_are_opened_and_names_in_them_are_not_followed(name: str) -> None:
    content = jsonl(filler())
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("__MACOSX/._rows", b"x")
        archive.writestr("../../etc/rows.jsonl", content)
    for archive, container in ((gzip.compress(content), "gz"), (packed.getvalue(), "zip")):
        checked = check(archive, name)
        assert checked.rows == filler()
        assert checked.report.detected["containers"] == [container]
    assert checked.report.detected["inner_name"] == "rows.jsonl"


def test_separators_of_unicode_do_not_cut_lines() -> None:
    rows = [*filler(), *(jsonl_row for jsonl_row in filler(1))]
    rows[0]["messages"][0]["content"] = "one\u2028two\u0085three\x0bfour"
    assert check(jsonl(rows)).rows[0]["messages"][0]["content"] == "one\u2028two\u0085three\x0bfour"


def test_columns_are_mapped_and_known_pairs_of_names_are_understood() -> None:
    content = table(LATIN).replace("prompt,completion", "Frage,Antwort").encode()
    mapped = check(content, "rows.csv", check=CheckOptions(mapping={"Frage": "prompt", "Antwort": "completion"}))
    assert said(mapped) == LATIN
    understood = check(content.replace(b"Frage,Antwort", "问题,答案".encode()), "rows.csv")
    assert said(understood) == LATIN
    assert check(content, "rows.csv").codes >= {"missing"}


def test_what_was_detected_can_be_overridden() -> None:
    content = table(LATIN, ";").encode("cp1252")
    checked = check(content, "rows.csv", read=ReadOptions(encoding="latin-1", delimiter=";"))
    assert checked.report.errors[0].code == "unknown_encoding"
    checked = check(content, "rows.csv", read=ReadOptions(encoding="cp1252", delimiter=";"))
    assert said(checked) == LATIN


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "html"),
        (b"%PDF-1.7 ...", "unsupported_format"),
        (b"\x89PNG\r\n\x1a\n", "unsupported_format"),
        (gzip.compress(jsonl(filler(200)))[:-300], "damaged_archive"),
        (b"PK\x03\x04 not a zip file", "damaged_archive"),
        (b"PAR1 not Parquet PAR1", "damaged_parquet"),
        (b'[{"messages": [', "damaged_json"),
        (bytes(range(256)) * 40, "binary"),
        (bytes(range(128)) * 40, "binary"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole_has_one_message(content: bytes, code: str) -> None:
    checked = check(content, "rows.jsonl")
    assert checked.refused
    assert (checked.report.errors[0].line, checked.report.errors[0].code) == (0, code)
    assert checked.report.errors[0].fix


def test_control_characters_in_utf8_are_text() -> None:
    rows = [(f"{n} \x1f", "\x08\x1b\x01") for n in range(14)]
    assert said(check(table(rows).encode(), "rows.csv")) == rows


def test_a_header_that_names_a_column_twice_is_refused() -> None:
    assert check(b"prompt,prompt\na,b\n", "rows.csv").report.errors[0].code == "repeated_column"


def test_bytes_that_are_not_utf8_are_reported_by_line() -> None:
    lines = jsonl(filler(200)).splitlines()
    lines[40] = lines[40].replace(b"?", b"\xff?")
    [error] = check(b"\n".join(lines)).report.errors
    assert (error.line, error.code) == (41, "not_utf8")
