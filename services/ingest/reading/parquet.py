"""Parquet, batch by batch."""

import decimal
from collections.abc import Iterator
from typing import Any

from services.ingest.reading.json_lines import too_long
from services.ingest.reading.limits import MIB, Limits
from services.ingest.reading.raw_rows import Block, Detected, Problem, RawRow
from services.ingest.reading.refusal import FileRefused

_ROWS_IN_BLOCK = 500
_GROUP_BYTES = 1024 * MIB


def read(path: str, detected: Detected, limits: Limits) -> Iterator[Block]:
    """The rows. Missing fields of a struct are null in Parquet, so that a null stands for a field that is not there."""
    # Imported here: it takes as long as all else of ingest, and most files need none of it.
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path, memory_map=True)
        detected.columns = list(file.schema_arrow.names)
        _refuse_large_groups(file)
        number = 0
        for batch in file.iter_batches(batch_size=_ROWS_IN_BLOCK):
            if batch.nbytes > _ROWS_IN_BLOCK * limits.row:
                raise FileRefused("row_too_long", f"rows near {number + 1} are too long", too_long(limits).fix)
            rows = [_row(number + at, value, limits) for at, value in enumerate(batch.to_pylist(), start=1)]
            number += len(rows)
            yield rows
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = f"the Parquet file cannot be read: {str(error)[:200]}"
        raise FileRefused("damaged_parquet", reason, "write the file again") from None


def _refuse_large_groups(file: Any) -> None:
    for place in range(file.metadata.num_row_groups):
        if file.metadata.row_group(place).total_byte_size > _GROUP_BYTES:
            reason = f"row group {place + 1} unpacks to more than {_GROUP_BYTES // MIB} MiB"
            raise FileRefused("row_group_too_large", reason, "write the file with smaller row groups")


def _row(number: int, value: dict[str, Any], limits: Limits) -> RawRow:
    cleaned = _cleaned(value)
    try:
        if _size(cleaned) > limits.row:
            return RawRow(number, None, too_long(limits))
    except UnicodeEncodeError:
        return RawRow(number, None, Problem("lone_surrogate", "holds half a character", "remove it"))
    return RawRow(number, cleaned, flat=True)


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, list) else 8


def _cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _cleaned(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_cleaned(one) for one in value]
    if isinstance(value, str | bool | int | float) or value is None:
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return str(value) if isinstance(value, decimal.Decimal) else getattr(value, "isoformat", value.__str__)()
