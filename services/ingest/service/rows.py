"""Pages of a dataset's rows, read from its artifacts by position."""

import json
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from services.ingest.domain.dataset import Dataset
from services.ingest.ports import Files
from services.ingest.row_index import DUPLICATE_PART, FLAGS, Numbers, RowIndex
from services.ingest.shapes.canonical import Row, decode
from services.ingest.splits.assignment import NAMES
from shared.events import Artifact
from shared.store import CursorError

PARTS = (*NAMES, "duplicate")
_CACHED = 4
_SCANNED_BYTES = 128 * 1024 * 1024
_BLOCK_ROWS = 5_000


class NoRows(Exception):
    """The dataset has no rows to show: it was refused."""


@dataclass(frozen=True)
class RowFilter:
    """Which rows to show; empty values stand for all."""

    split: str = ""
    flag: str = ""
    text: str = ""

    def chosen(self, index: RowIndex, start: int) -> Numbers:
        """The rows from `start` on that pass by their numbers."""
        passed = np.ones(len(index.places) - start, dtype=bool)
        if self.split:
            passed &= index.parts[start:] == PARTS.index(self.split)
        if self.flag:
            passed &= (index.flags[start:] & FLAGS[self.flag]) > 0
        return np.flatnonzero(passed) + start


@dataclass(frozen=True)
class RowPage:
    """Some rows; `next` is where the following page starts, None at the end."""

    data: list[dict[str, Any]]
    next: int | None


@dataclass(frozen=True)
class Rows:
    """Reads rows; the indexes used last are kept in memory."""

    files: Files
    cache: Path
    _indexes: OrderedDict[str, RowIndex] = field(default_factory=OrderedDict[str, RowIndex])

    def index(self, dataset: Dataset) -> RowIndex:
        """The numbers of all rows; raises `NoRows`."""
        artifact = dataset.report.index
        if artifact is None:
            raise NoRows
        if (found := self._indexes.get(artifact.sha256)) is None:
            found = self._load(artifact)
            self._indexes[artifact.sha256] = found
            while len(self._indexes) > _CACHED:
                self._indexes.popitem(last=False)
        return found

    def page(self, dataset: Dataset, after: int, limit: int, wanted: RowFilter) -> RowPage:
        """Up to `limit` rows from row number `after` on. A search reads a bounded amount; its page may be short.

        Raises `NoRows`, and `CursorError` when the dataset has fewer than `after` rows.
        """
        index = self.index(dataset)
        if after > len(index.places):
            raise CursorError(f"'after' must be at most {len(index.places)}, the number of rows; got {after}", "after")
        assert dataset.report.rows is not None
        needle = json.dumps(wanted.text, ensure_ascii=False)[1:-1].lower().encode() if wanted.text else b""
        rows = wanted.chosen(index, after)
        data: list[dict[str, Any]] = []
        scanned = 0
        with self.files.open(dataset.report.rows) as file:
            for at in range(0, len(rows), _BLOCK_ROWS if needle else limit + 1):
                block = rows[at : at + (_BLOCK_ROWS if needle else limit + 1)]
                for row, line in _lines(file, index, block):
                    scanned += len(line)
                    if len(data) == limit or scanned > _SCANNED_BYTES:
                        return RowPage(data, row)
                    if needle in (line.lower() if needle else line):
                        data.append(_shown(index, row, line))
        return RowPage(data, None)

    def all(self, dataset: Dataset, wanted: RowFilter) -> Iterator[Row]:
        """Every row that passes, without duplicates."""
        index = self.index(dataset)
        assert dataset.report.rows is not None
        assert dataset.report.kind
        rows = wanted.chosen(index, 0)
        rows = rows[index.parts[rows] != DUPLICATE_PART]
        with self.files.open(dataset.report.rows) as file:
            for at in range(0, len(rows), _BLOCK_ROWS):
                for _, line in _lines(file, index, rows[at : at + _BLOCK_ROWS]):
                    yield decode(dataset.report.kind, line)

    def chosen(self, dataset: Dataset, rows: Numbers) -> list[dict[str, Any]]:
        """Some rows by their numbers."""
        index = self.index(dataset)
        assert dataset.report.rows is not None
        with self.files.open(dataset.report.rows) as file:
            return [_shown(index, row, line) for row, line in _lines(file, index, rows)]

    def first(self, dataset: Dataset, count: int) -> list[tuple[Row, dict[str, Any]]]:
        """The first rows of a dataset, each with the other columns of its line; raises `NoRows`."""
        report = dataset.report
        if report.rows is None or not report.kind:
            raise NoRows
        with self.files.open(report.rows) as file:
            rows = [decode(report.kind, line) for line in islice(file, count)]
        if report.fields is None:
            return [(row, {}) for row in rows]
        with self.files.open(report.fields) as file:
            return list(zip(rows, (json.loads(line) for line in islice(file, count)), strict=True))

    def _load(self, artifact: Artifact) -> RowIndex:
        path = self.cache / "indexes" / f"{artifact.sha256}.npz"
        if not path.exists():
            self.files.fetch_file(artifact, path)
        return RowIndex.load(path)


def _lines(file: Any, index: RowIndex, rows: Numbers) -> Iterator[tuple[int, bytes]]:
    """Row numbers and lines; neighbours are read at once."""
    runs = np.split(rows, np.flatnonzero(np.diff(rows) > 8) + 1) if len(rows) else []
    for run in runs:
        start = int(index.ends[run[0] - 1]) if run[0] else 0
        file.seek(start)
        content = file.read(int(index.ends[run[-1]]) - start)
        for row in run.tolist():
            first = (int(index.ends[row - 1]) if row else 0) - start
            yield row, content[first : int(index.ends[row]) - start - 1]


def _shown(index: RowIndex, row: int, line: bytes) -> dict[str, Any]:
    flags = int(index.flags[row])
    return {
        "row": row,
        "line": int(index.places[row]),
        "split": PARTS[int(index.parts[row])],
        "flags": [name for name, flag in FLAGS.items() if flags & flag],
        "content": json.loads(line),
    }
