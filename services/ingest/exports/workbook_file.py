"""Rows as workbooks: xlsx by openpyxl, ods written as the standard says. All cells are text, never formulas."""

import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from openpyxl import Workbook

from services.ingest.exports.formulas import text_cell
from services.ingest.exports.tables import as_text

MAX_CELL_CHARS = 32_767
_SHEET = "rows"
_MIMETYPE = "application/vnd.oasis.opendocument.spreadsheet"
_NAMES = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.3"'
)
_MANIFEST = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" manifest:version="1.3">'
    f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{_MIMETYPE}"/>'
    '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/>'
    "</manifest:manifest>"
)


def can_hold(record: dict[str, Any]) -> bool:
    """Whether a workbook gives back each text as it was: no control characters, no cell that is too long."""
    return all(_holds(as_text(value)) for value in record.values())


def _holds(text: str) -> bool:
    if len(text) > MAX_CELL_CHARS or "_x" in text:
        # Excel reads `_x0041_` as an escape.
        return False
    return all(char >= " " or char in "\n\t" for char in text) and "\ufffe" not in text and "\uffff" not in text


def write_xlsx(path: Path, records: Iterable[dict[str, Any]], columns: Sequence[str]) -> None:
    """One sheet."""
    workbook = Workbook(write_only=True)
    sheet: Any = workbook.create_sheet(_SHEET)
    sheet.append([text_cell(sheet, column) for column in columns])
    for record in records:
        sheet.append([text_cell(sheet, as_text(record.get(column))) for column in columns])
    workbook.save(path)


def write_ods(path: Path, records: Iterable[dict[str, Any]], columns: Sequence[str]) -> None:
    """One table; the text stands in an attribute too, which keeps spaces and line breaks."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("mimetype"), _MIMETYPE)
        archive.writestr("META-INF/manifest.xml", _MANIFEST)
        with archive.open("content.xml", "w", force_zip64=True) as part:
            part.write(f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {_NAMES}>'.encode())
            part.write(f'<office:body><office:spreadsheet><table:table table:name="{_SHEET}">'.encode())
            part.write(_row(columns))
            for record in records:
                part.write(_row([as_text(record.get(column)) for column in columns]))
            part.write(b"</table:table></office:spreadsheet></office:body></office:document-content>")


def _row(cells: Sequence[str]) -> bytes:
    made = "".join(_cell(cell) for cell in cells)
    return f"<table:table-row>{made}</table:table-row>".encode()


def _cell(text: str) -> str:
    if not text:
        return "<table:table-cell/>"
    kept = quoteattr(text, {"\n": "&#10;", "\t": "&#9;"})
    shown = "".join(f"<text:p>{escape(line)}</text:p>" for line in text.split("\n"))
    return f'<table:table-cell office:value-type="string" office:string-value={kept}>{shown}</table:table-cell>'
