"""Texts for continued pre-training, and nothing beside them."""

from typing import Any

from services.ingest.shapes.canonical import PlainText, Row
from services.ingest.shapes.findings import RowReport
from services.ingest.shapes.shape import Shape, filled


def _read(row: dict[str, Any], report: RowReport, _flat: bool) -> Row | None:
    return PlainText(filled(row, "text", report))


def _write(row: Row) -> dict[str, Any] | None:
    return {"text": row.text} if isinstance(row, PlainText) else None


TEXT = Shape("text", "plain texts", required=("text",), optional=(), read=_read, write=_write, strict=True)
