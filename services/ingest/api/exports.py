"""A dataset as a file, in any shape and format that can hold its rows."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from litestar import get
from litestar.di import NamedDependency
from litestar.exceptions import ValidationException
from litestar.params import FromPath, FromQuery, Parameter, QueryParameter
from litestar.response import Stream

from services.ingest.api.access import AnyRequest, visible
from services.ingest.exports.export import MEDIA_TYPES, Exported, Format, Formulas, write_rows
from services.ingest.service.datasets import Datasets
from services.ingest.service.rows import RowFilter, Rows
from services.ingest.shapes.catalog import SHAPES

_CHUNK_BYTES = 256 * 1024


@get("/{dataset_id:str}/export")
async def export(
    request: AnyRequest,
    dataset_id: FromPath[str],
    datasets: NamedDependency[Datasets],
    rows: NamedDependency[Rows],
    shape: Annotated[str, Parameter(max_length=40)] = "chat",
    file_format: Annotated[Format, QueryParameter(name="format")] = "jsonl",
    split: FromQuery[Literal["", "train", "validation", "test"]] = "",
    formulas: FromQuery[Formulas] = "neutralise",
) -> Stream:
    """Rows that the shape or format cannot hold are left out; the header `assay-rows-left-out` counts them.

    `formulas=keep` writes cells of CSV and TSV that start like a formula as they are; a spreadsheet would run them.
    """
    if shape not in SHAPES:
        raise ValidationException(f"the shape {shape!r} is not known; choose one of {', '.join(SHAPES)}")
    found = await visible(request, datasets, dataset_id)
    path = Path(tempfile.mkstemp(prefix="assay-export-")[1])

    def write() -> Exported:
        return write_rows(path, rows.all(found, RowFilter(split=split)), SHAPES[shape], file_format, formulas)

    try:
        counted = await asyncio.to_thread(write)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    headers: dict[str, Any] = {
        "Content-Disposition": f'attachment; filename="rows.{file_format}"',
        "assay-rows": str(counted.written),
        "assay-rows-left-out": str(counted.left_out),
    }
    return Stream(_content(path), media_type=MEDIA_TYPES[file_format], headers=headers)


def _content(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
    finally:
        path.unlink(missing_ok=True)
