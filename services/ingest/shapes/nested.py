"""Nested values in tables, whose cells hold them as JSON."""

from typing import Any

import orjson

from services.ingest.reading.json_objects import parse_text
from services.ingest.reading.raw_rows import Problem
from services.ingest.shapes.findings import RowReport


def parse_nested(value: Any, field: str, report: RowReport, *, flat: bool) -> Any:
    """A list or object; text in a `flat` row is parsed as JSON. None, with an error, where that is not possible."""
    if not (flat and isinstance(value, str)):
        if value is None:
            report.error("missing", field, "is missing", "write it, or use another shape")
        return value
    if not value.strip():
        report.error("missing", field, "is empty", "write it as JSON in the cell")
        return None
    # Inside an object, so that the checks for repeated keys and depth are those of a row.
    parsed = parse_text(f'{{"value":{value}}}')
    if isinstance(parsed, Problem):
        report.error(parsed.code, field, parsed.reason, "write it as JSON in the cell")
        return None
    return parsed.get("value")


def to_cell(value: Any) -> str:
    """A nested value as JSON, for a cell."""
    return orjson.dumps(value).decode()
