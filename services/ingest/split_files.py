"""Writes the three splits as training reads them, rendered with a template where there is one."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from services.ingest.row_index import Numbers
from services.ingest.splits.assignment import LEFT_OUT, NAMES
from shared.events import PromptTemplate
from shared.prompts import MissingFieldError, SystemRefusedError, render

_ROWS_AT_ONCE = 20_000


@dataclass(frozen=True)
class RowFiles:
    """Canonical rows, and the other fields of each where there are any."""

    rows: Path
    fields: Path | None = None


class NotRendered(ValueError):
    """A row that does not fit its template, and the reason; `row` counts from 0."""

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(reason)
        self.row = row
        self.reason = reason


def write_splits(files: RowFiles, parts: Numbers, template: PromptTemplate | None, folder: Path) -> dict[str, Path]:
    """One file for each of train, validation and test, in the order of the rows; raises `NotRendered`."""
    paths = {name: folder / f"{name}.jsonl" for name in NAMES[:LEFT_OUT]}
    with ExitStack() as stack:
        opened = [stack.enter_context(path.open("wb")) for path in paths.values()]
        for start, lines in _blocks(files, parts, template):
            of_block = parts[start : start + len(lines)]
            for part, file in enumerate(opened):
                chosen = np.flatnonzero(of_block == part).tolist()
                file.write(b"".join([lines[place] for place in chosen]))
    return paths


def _blocks(files: RowFiles, parts: Numbers, template: PromptTemplate | None) -> Iterator[tuple[int, list[bytes]]]:
    start = 0
    for lines in _lines(files, parts, template):
        yield start, lines
        start += len(lines)


def _lines(files: RowFiles, parts: Numbers, template: PromptTemplate | None) -> Iterator[list[bytes]]:
    with ExitStack() as stack:
        rows = stack.enter_context(files.rows.open("rb"))
        if template is None:
            while lines := list(islice(rows, _ROWS_AT_ONCE)):
                yield lines
            return
        fields = stack.enter_context(files.fields.open("rb")) if files.fields is not None else repeat(b"{}")
        rendered = _rendered(template, zip(rows, fields, strict=False), parts)
        while lines := list(islice(rendered, _ROWS_AT_ONCE)):
            yield lines


def _rendered(template: PromptTemplate, rows: Iterable[tuple[bytes, bytes]], parts: Numbers) -> Iterator[bytes]:
    for number, (line, fields) in enumerate(rows):
        # Rows that are in no split may lack a field.
        if parts[number] >= LEFT_OUT:
            yield b""
            continue
        try:
            yield rendered_line(template, line, msgspec.json.decode(fields))
        except MissingFieldError as error:
            raise NotRendered(number, f"has no field {error.field!r}, which the template needs") from None
        except SystemRefusedError:
            raise NotRendered(number, "has a system message, which the template refuses") from None


def rendered_line(template: PromptTemplate, line: bytes, fields: dict[str, Any]) -> bytes:
    """A canonical line of a conversation with its template around it."""
    row = msgspec.json.decode(line)
    row["messages"] = render(template, row["messages"], {key: str(value) for key, value in fields.items()})
    return msgspec.json.encode(row) + b"\n"
