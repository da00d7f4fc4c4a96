"""Hostile files get a clear refusal, in bounded memory and time."""

import gzip
import io
import json
import resource
import time
import zipfile

import pytest
from openpyxl import Workbook

from services.ingest.exports.formulas import neutralised
from services.ingest.reading import json_lines
from services.ingest.reading.limits import MIB, Limits
from services.ingest.reading.raw_rows import LineBlock
from tests.prepared import Checked, chat, check, filler, jsonl

SMALL = Limits(unpacked=4 * MIB, workbook=4 * MIB)
WORKBOOK = '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheets/></workbook>'


def zipped(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def first(checked: Checked) -> tuple[int, str]:
    assert checked.refused
    error = checked.report.errors[0]
    assert error.fix
    return error.line, error.code


@pytest.fixture(autouse=True)
def bounded():
    """No file makes this process grow by more than 300 MB, or takes more than 30 seconds."""
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000
    assert time.monotonic() - started < 30


def test_a_gzip_bomb_is_stopped_at_the_limit() -> None:
    bomb = gzip.compress(b"a" * (64 * MIB), 9)
    assert first(check(bomb, "rows.csv.gz", limits=SMALL))[1] in ("archive_too_large", "cell_too_long")
    lines = gzip.compress((b'{"text": "' + b"x" * 9_000 + b'"}\n') * 1_000, 9)
    assert first(check(lines, "rows.jsonl.gz", limits=SMALL)) == (0, "archive_too_large")


def test_a_workbook_that_unpacks_to_too_much_is_not_loaded() -> None:
    bomb = zipped({"xl/workbook.xml": WORKBOOK.encode(), "xl/worksheets/sheet1.xml": b"<row/>" * (2 * MIB)})
    assert first(check(bomb, "rows.xlsx", limits=SMALL)) == (0, "workbook_too_large")


def test_entities_in_a_workbook_are_refused() -> None:
    entity = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><worksheet/>'
    bomb = zipped({"xl/workbook.xml": WORKBOOK.encode(), "xl/worksheets/sheet1.xml": entity})
    assert first(check(bomb, "rows.xlsx", limits=SMALL)) == (0, "entities")


def test_a_line_without_an_end_is_passed_over_and_the_next_one_is_read() -> None:
    long = gzip.compress(b'{"text": "' + b"a" * (48 * MIB) + b'"}\n' + jsonl(filler()), 1)
    checked = check(long, "rows.jsonl", limits=Limits(ratio=10_000), drop_bad_rows=True)
    assert [(one["line"], one["code"]) for one in checked.findings] == [(1, "row_too_long")]
    assert len(checked.rows) == 12


@pytest.mark.parametrize("name", ["rows.json", "rows.csv"])
def test_an_endless_value_of_another_format_is_refused(name: str) -> None:
    start = b'[{"text": "' if name == "rows.json" else b'text\n"'
    packed = gzip.compress(start + b"a" * (32 * MIB), 1)
    checked = check(packed, name, limits=Limits(ratio=10_000))
    assert checked.refused
    assert checked.codes & {"row_too_long", "cell_too_long"}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'{"text": "a\\u0000b"}', "nul"),
        (b'{"text": "a\x00b"}', "not_json"),
        (b'{"text": "\xff"}', "not_utf8"),
        (b'{"text": "\\ud83d"}', "lone_surrogate"),
        (b'{"text": NaN}', "not_json"),
        (b"[" * 100_000, "too_deep"),
        (b'{"text": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "too_deep"),
        (b'{"text": ' + b'{"a":' * 200 + b"1" + b"}" * 200 + b"}", "too_deep"),
        (b"[]", "not_an_object"),
        (b"7", "not_an_object"),
        (b'{"text": "x"} {"text": "y"}', "not_json"),
    ],
)
def test_a_hostile_line_is_refused_and_the_others_are_used(line: bytes, code: str) -> None:
    content = jsonl(filler(12)) + line + b"\n" + jsonl(filler(14)[12:])
    checked = check(content, drop_bad_rows=True)
    [found] = checked.findings
    assert found["line"] == 13
    assert found["code"] == code
    assert len(checked.rows) == 14


def test_a_nul_and_half_a_character_in_a_table_are_refused_by_row() -> None:
    rows = ["text", *(f"sentence number {n * 7919}" for n in range(12)), "a\x00b"]
    assert [(e.line, e.code) for e in check("\n".join(rows).encode(), "r.csv").report.errors] == [(14, "nul")]


def test_texts_that_other_languages_would_run_stay_texts() -> None:
    texts = ["{x.__init__.__globals__}", "{:>50000000}", "{{'a'*300000000}}", "=HYPERLINK(1)", "<script>", "${jndi:x}"]
    rows = [chat(text, f"{text} {n}") for n, text in enumerate(texts)]
    checked = check(jsonl([*rows, *filler()]))
    assert checked.rows[: len(rows)] == rows


def test_a_damaged_workbook_and_an_encrypted_archive_are_named() -> None:
    damaged = zipped({"xl/workbook.xml": b"<workbook", "[Content_Types].xml": b"x"})
    assert first(check(damaged, "rows.xlsx"))[1] in ("damaged_workbook", "empty")
    several = zipped({"a.jsonl": b"{}", "b.jsonl": b"{}"})
    assert first(check(several, "rows.zip")) == (0, "several_files")


def test_a_million_columns_and_a_million_messages_stay_small_in_the_report() -> None:
    wide = ",".join(f"c{n}" for n in range(20_000)).encode() + b"\n" + b"x\n" * 20
    assert len(check(wide, "rows.csv").report.model_dump_json()) < 200_000
    many = json.dumps({"messages": [{"role": "king"}] * 30_000}).encode()
    checked = check(many)
    assert len(checked.report.errors) == 100


class LongLine(io.RawIOBase):
    """A stream whose first line has so many bytes; they are made as they are read."""

    def __init__(self, size: int, rest: bytes) -> None:
        self._left, self._rest = size, io.BytesIO(b"\n" + rest)

    def read(self, size: int = -1) -> bytes:
        count = min(size, self._left)
        self._left -= count
        return b"a" * count if count else self._rest.read(size)


def test_a_line_of_two_gigabytes_is_passed_over_in_little_memory() -> None:
    started = time.monotonic()
    found = list(json_lines.read(LongLine(2 * 1024 * MIB, b'{"text": "x"}\n'), "utf-8", Limits(row=64 * 1024)))
    [too_long] = found[0]
    assert (too_long.line, too_long.problem.code) == (1, "row_too_long")
    assert found[1:] == [LineBlock(2, b'{"text": "x"}\n')]
    assert time.monotonic() - started < 20


def test_the_text_of_a_formula_is_kept_and_exported_without_running() -> None:
    book = Workbook()
    book.active.append(["prompt", "completion"])
    for number in range(12):
        # The spreadsheet that wrote this file never computed the formula.
        book.active.append([f"question {number * 7919}", f"=HYPERLINK({number})"])
    content = io.BytesIO()
    book.save(content)
    checked = check(content.getvalue(), "rows.xlsx")
    assert [row["messages"][1]["content"] for row in checked.rows] == [f"=HYPERLINK({n})" for n in range(12)]
    assert "12 cells are formulas: their text was read, not their result" in checked.report.detected["notes"]
    assert neutralised(checked.rows[0]["messages"][1]["content"]) == "'=HYPERLINK(0)"
