"""Opens an uploaded file: finds out what it is, and gives its rows."""

import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.ingest.reading import (
    containers,
    delimited,
    dialects,
    encodings,
    json_documents,
    json_lines,
    json_objects,
    parquet,
    workbooks,
)
from services.ingest.reading.dialects import Dialect
from services.ingest.reading.limits import MIB, Limits
from services.ingest.reading.raw_rows import Block, Detected, LineBlock, RawRow
from services.ingest.reading.refusal import FileRefused

_WRAPPER = re.compile(r'\{\s*"(?:features|' + "|".join(json_documents.WRAPPER_KEYS) + r')"\s*:\s*\[')
_TEXT_FORMATS = ("jsonl", "json", "csv", "tsv")


@dataclass(frozen=True)
class ReadOptions:
    """What a user says about a file; empty stands for "find out"."""

    format: str = ""
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""


@dataclass(frozen=True)
class Source:
    """A file that was opened. `detected` is complete once `blocks` has ended."""

    detected: Detected
    blocks: Iterator[Block]

    def rows(self) -> Iterator[RawRow]:
        """The rows one by one."""
        for block in self.blocks:
            yield from json_objects.raw_rows(block) if isinstance(block, LineBlock) else block


def open_source(path: Path, filename: str, options: ReadOptions, limits: Limits, scratch: Path) -> Source:
    """Raises `FileRefused` for a file that is wrong as a whole, also while blocks are read."""
    detected = Detected()
    if path.stat().st_size == 0:
        raise FileRefused("empty", "the file is empty", "upload a file with rows")
    if (kind := workbooks.kind(path)) is not None:
        detected.format = kind
        return Source(detected, workbooks.read(path, options.sheet, detected, limits))
    stream, inner = containers.unpack(path, detected.containers, limits)
    detected.inner_name = inner[:200]
    head = containers.peek(stream, limits.sample)
    containers.refuse_other_kinds(head)
    if head[:4] == b"PAR1" or head[:4] == b"PK\x03\x04":
        return _open_packed(stream, head, detected, options, limits, scratch, path)
    return _open_text(stream, head, inner or filename, detected, options, limits)


def _open_packed(
    stream: Any, head: bytes, detected: Detected, options: ReadOptions, limits: Limits, scratch: Path, path: Path
) -> Source:
    """Parquet, or a workbook inside gz: their readers go to and fro, so they need a file."""
    if detected.containers:
        path = scratch / "unpacked"
        with path.open("wb") as file:
            shutil.copyfileobj(stream, file, MIB)
    if head[:4] == b"PAR1":
        detected.format = "parquet"
        return Source(detected, parquet.read(str(path), detected, limits))
    detected.format = workbooks.kind(path) or ""
    if not detected.format:
        raise FileRefused("nested_archives", "the archive holds another archive", "unpack it once")
    return Source(detected, workbooks.read(path, options.sheet, detected, limits))


def _open_text(
    stream: Any, head: bytes, filename: str, detected: Detected, options: ReadOptions, limits: Limits
) -> Source:
    whole = len(head) < limits.sample
    detected.encoding = encodings.chosen(options.encoding) if options.encoding else encodings.detect(head, whole)
    sample = head.decode(detected.encoding, "replace")
    if not sample.strip("\ufeff \t\r\n"):
        raise FileRefused("empty", "the file has no rows", "upload a file with rows")
    if not _is_text(head, sample[:4096], detected.encoding, whole):
        raise FileRefused("binary", "the file is not text", "save the rows as CSV, JSON Lines, Parquet or xlsx")
    detected.format = _chosen_format(options.format) or _text_format(sample, filename)
    if detected.format == "jsonl":
        return Source(detected, json_lines.read(stream, detected.encoding, limits))
    buffered: Any = io.BufferedReader(stream, MIB) if isinstance(stream, io.RawIOBase) else stream
    if detected.format == "json":
        text = io.TextIOWrapper(buffered, detected.encoding, errors="surrogateescape")
        return Source(detected, json_documents.read(text, detected, limits))
    usual = "\t" if filename.lower().removesuffix(".gz").endswith((".tsv", ".tab")) else ","
    dialect = dialects.detect(sample.removeprefix("\ufeff"), whole, usual)
    if options.delimiter:
        dialect = Dialect(options.delimiter, dialect.quote)
    detected.delimiter, detected.quote = dialect.delimiter, dialect.quote
    detected.format = "tsv" if dialect.delimiter == "\t" else "csv"
    errors = "surrogateescape" if detected.encoding.startswith("utf-8") else "strict"
    text = io.TextIOWrapper(buffered, detected.encoding, errors=errors, newline="")
    return Source(detected, _decoded(delimited.read(text, dialect, detected, limits), detected.encoding))


def _is_text(head: bytes, sample: str, encoding: str, whole: bool) -> bool:
    """UTF-8 without a NUL is text, even if it is full of control characters; other bytes may be anything."""
    if encoding.startswith("utf-8") and "\x00" not in sample and encodings.decodes(head, encoding, whole):
        return True
    controls = sum(char < " " and char not in "\t\n\r\f" for char in sample)
    return controls <= len(sample) // 50


def _decoded(blocks: Iterator[Block], encoding: str) -> Iterator[Block]:
    try:
        yield from blocks
    except UnicodeError as error:
        reason = f"the file is not text in {encoding}: {str(error)[:200]}"
        raise FileRefused("wrong_encoding", reason, "save it as UTF-8, or name its encoding on upload") from None


def _chosen_format(name: str) -> str:
    if name and name not in (*_TEXT_FORMATS, "parquet", "xlsx", "ods"):
        raise FileRefused("unknown_format", f"the format {name[:40]!r} is not known", "leave it out: it is detected")
    if name in ("parquet", "xlsx", "ods"):
        raise FileRefused("wrong_format", f"the file is text, not {name}", "leave the format out: it is detected")
    return name


def _text_format(sample: str, filename: str) -> str:
    """By content; the file's name decides only for a text that starts with neither { nor [."""
    start = sample.lstrip("\ufeff \t\r\n")
    if start.startswith("["):
        return "json" if start[1:].lstrip()[:1] in ("{", "]", "") else "csv"
    if start.startswith("{"):
        first = start.split("\n", 1)[0].rstrip()
        return "json" if _WRAPPER.match(start) or first.endswith(("[", "{", ",", ":")) else "jsonl"
    return "jsonl" if filename.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson")) else "csv"
