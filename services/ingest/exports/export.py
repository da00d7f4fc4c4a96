"""Writes rows in a shape and a format, and counts the rows that they cannot hold."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from services.ingest.exports import parquet_file, tables, workbook_file
from services.ingest.shapes.canonical import Row
from services.ingest.shapes.shape import Shape

Format = Literal["jsonl", "json", "csv", "tsv", "parquet", "xlsx", "ods"]
Formulas = Literal["keep", "neutralise"]
MEDIA_TYPES: dict[str, str] = {
    "jsonl": "application/jsonl",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "tsv": "text/tab-separated-values; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
}


@dataclass
class Exported:
    """How many rows were written, and how many the shape or the format cannot hold."""

    written: int = 0
    left_out: int = 0


def write_rows(path: Path, rows: Iterable[Row], shape: Shape, file_format: Format, formulas: Formulas) -> Exported:
    """Write rows to `path`, one by one."""
    counted = Exported()
    records = _records(rows, shape, file_format, counted)
    columns = [*shape.required, *shape.optional]
    if file_format in ("jsonl", "json"):
        _write_json(path, records, lines=file_format == "jsonl")
    elif file_format in ("csv", "tsv"):
        delimiter = "," if file_format == "csv" else "\t"
        tables.write(path, records, columns, delimiter=delimiter, keep_formulas=formulas == "keep")
    elif file_format == "parquet":
        parquet_file.write(path, records, columns)
    elif file_format == "xlsx":
        workbook_file.write_xlsx(path, records, columns)
    else:
        workbook_file.write_ods(path, records, columns)
    return counted


def _records(rows: Iterable[Row], shape: Shape, file_format: Format, counted: Exported) -> Iterator[dict[str, Any]]:
    for row in rows:
        record = shape.write(row)
        if record is None or (file_format in ("xlsx", "ods") and not workbook_file.can_hold(record)):
            counted.left_out += 1
            continue
        counted.written += 1
        yield record


def _write_json(path: Path, records: Iterable[dict[str, Any]], *, lines: bool) -> None:
    with path.open("wb") as file:
        if not lines:
            file.write(b"[")
        for place, record in enumerate(records):
            if place and not lines:
                file.write(b",\n")
            file.write(json.dumps(record, ensure_ascii=False).encode() + (b"\n" if lines else b""))
        if not lines:
            file.write(b"]\n")
