"""Writes the three splits as training reads them, rendered with a template where there is one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from services.ingest.checks.row_store import RowStore
from services.ingest.row_index import Numbers
from services.ingest.splits.assignment import LEFT_OUT, NAMES
from shared.events import PromptTemplate
from shared.prompts import render

_ROWS_AT_ONCE = 20_000


def write_splits(store: RowStore, parts: Numbers, template: PromptTemplate | None, folder: Path) -> dict[str, Path]:
    """One file for each of train, validation and test, in the order of the rows."""
    paths = {name: folder / f"{name}.jsonl" for name in NAMES[:LEFT_OUT]}
    files = [path.open("wb") for path in paths.values()]
    try:
        for start, lines in _blocks(store, template):
            of_block = parts[start : start + len(lines)]
            for part, file in enumerate(files):
                chosen = np.flatnonzero(of_block == part).tolist()
                file.write(b"".join([lines[place] for place in chosen]))
    finally:
        for file in files:
            file.close()
    return paths


def _blocks(store: RowStore, template: PromptTemplate | None) -> Iterator[tuple[int, list[bytes]]]:
    fields = store.fields_path.open("rb") if template is not None and store.has_fields else None
    start, lines = 0, list[bytes]()
    with store.path.open("rb") as rows:
        for line in rows:
            if template is not None:
                line = rendered_line(template, line, json.loads(next(fields)) if fields else {})
            lines.append(line)
            if len(lines) >= _ROWS_AT_ONCE:
                yield start, lines
                start, lines = start + len(lines), []
    if lines:
        yield start, lines
    if fields is not None:
        fields.close()


def rendered_line(template: PromptTemplate, line: bytes, fields: dict[str, Any]) -> bytes:
    """A canonical line of a conversation with its template around it."""
    row = msgspec.json.decode(line)
    row["messages"] = render(template, row["messages"], {key: str(value) for key, value in fields.items()})
    return msgspec.json.encode(row) + b"\n"
