"""Good rows on disk, and a few numbers of each in memory: about 60 bytes a row."""

import json
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from services.ingest.checks.batch import Batch
from shared.near_duplicates import BANDS, band_keys, normalized, signatures

Numbers = npt.NDArray[Any]


def digest64(text: str) -> bytes:
    """Eight bytes that stand for a text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


class RowStore:
    """Rows are appended batch by batch; once `close` was called their numbers are whole arrays."""

    def __init__(self, folder: Path, *, bands: bool) -> None:
        self.path = folder / "rows.jsonl"
        self.fields_path = folder / "fields.jsonl"
        self._bands_path = folder / "bands.u64"
        self._rows = self.path.open("wb")
        self._fields: Any = None
        self._reader: Any = None
        self._bands: Any = self._bands_path.open("wb") if bands else None
        self._chunks: dict[str, list[Numbers]] = {}
        self.count = 0
        self.ends: Numbers = np.zeros(0, np.uint64)

    def append(self, batch: Batch) -> None:
        """Write the batch's rows, and keep their digests."""
        self._rows.write(b"\n".join(batch.lines) + b"\n")
        self._keep_fields(batch)
        rows = b"".join([blake2b(line, digest_size=16).digest() for line in batch.lines])
        prompts = [normalized(prompt) for prompt in batch.prompts]
        self._keep("row", np.frombuffer(rows, np.uint64).reshape(-1, 2))
        self._keep("prompt", _digests(prompts))
        # Compared within this process alone, so that Python's own hash will do.
        answers = (hash(answer.strip().casefold()) for answer in batch.answers)
        self._keep("answer", np.fromiter(answers, np.int64, len(batch.answers)).astype(np.uint64))
        self._keep("place", np.array(batch.places, np.uint32))
        self._keep("size", np.fromiter(map(len, batch.lines), np.uint32, len(batch.lines)))
        if batch.groups:
            self._keep("group", _digests(batch.groups))
        if self._bands is not None:
            self._bands.write(band_keys(signatures(prompts)).tobytes())
        self.count += len(batch.lines)

    def close(self) -> None:
        """End writing."""
        for file in (self._rows, self._fields, self._bands):
            if file is not None:
                file.close()
        sizes = np.concatenate(self._chunks.pop("size", [np.zeros(0, np.uint32)]))
        self.ends = np.cumsum(sizes, dtype=np.uint64) + np.arange(1, len(sizes) + 1, dtype=np.uint64)

    def numbers(self, name: str) -> Numbers:
        """One number of each row: `row` (two of them), `prompt`, `answer`, `place`, `group`."""
        chunks = self._chunks.get(name, [])
        if len(chunks) != 1:
            chunks = [np.concatenate(chunks)] if chunks else [np.zeros(0, np.uint64)]
            self._chunks[name] = chunks
        return chunks[0]

    def band(self, place: int) -> Numbers:
        """The keys of all rows in one band, read from disk."""
        if not self.count:
            return np.zeros(0, np.uint64)
        table = np.memmap(self._bands_path, np.uint64, mode="r").reshape(-1, BANDS)
        return np.ascontiguousarray(table[:, place])

    def band_keys(self, rows: Numbers) -> Numbers | None:
        """The keys of some rows in all bands; None where they were not made."""
        if self._bands is None:
            return None
        return np.memmap(self._bands_path, np.uint64, mode="r").reshape(-1, BANDS)[rows]

    def json_line(self, row: int) -> bytes:
        """The canonical line of one row."""
        if self._reader is None:
            self._reader = self.path.open("rb")
        start = int(self.ends[row - 1]) if row else 0
        self._reader.seek(start)
        return self._reader.read(int(self.ends[row]) - start - 1)

    @property
    def has_fields(self) -> bool:
        return self._fields is not None

    def _keep(self, name: str, numbers: Numbers) -> None:
        self._chunks.setdefault(name, []).append(numbers)

    def _keep_fields(self, batch: Batch) -> None:
        """Rows without other fields write nothing until one has some; its file then has a line for each row."""
        if self._fields is None:
            if not any(batch.fields):
                return
            self._fields = self.fields_path.open("wb")
            self._fields.write(b"{}\n" * self.count)
        fields = batch.fields or [{}] * len(batch.lines)
        self._fields.write(b"".join(json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in fields))


def _digests(texts: Sequence[str]) -> Numbers:
    return np.frombuffer(b"".join(map(digest64, texts)), np.uint64)
