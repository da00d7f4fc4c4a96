"""Rows as Parquet. Texts are columns of text; nested values are JSON in a text, for their fields differ by row."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from services.ingest.exports.tables import as_text

_ROWS_AT_ONCE = 5_000


def write(path: Path, records: Iterable[dict[str, Any]], columns: Sequence[str]) -> None:
    """One row group for every few thousand rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(column, pa.string()) for column in columns])
    with pq.ParquetWriter(path, schema) as writer:
        for block in _blocks(iter(records)):
            arrays = [pa.array([_value(one.get(column)) for one in block], pa.string()) for column in columns]
            writer.write_table(pa.table(arrays, schema=schema))


def _value(value: Any) -> str | None:
    return None if value is None else as_text(value)


def _blocks(records: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while block := list(islice(records, _ROWS_AT_ONCE)):
        yield block
