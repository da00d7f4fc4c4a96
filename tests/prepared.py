"""Files through the checks of ingest, as its worker runs them."""

import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from services.ingest.preparation import Prepared, Request, prepare
from services.ingest.report import Report


@dataclass(frozen=True)
class Checked:
    """What became of a file: its report, and the lines of each split."""

    report: Report
    splits: dict[str, list[dict[str, Any]]]
    rows: list[dict[str, Any]]
    parts: list[int]
    findings: list[dict[str, Any]]
    prepared: Prepared

    @property
    def refused(self) -> bool:
        return not self.splits

    @property
    def codes(self) -> set[str]:
        """The codes of all findings."""
        return {error.code for error in self.report.errors} | set(self.report.finding_counts)

    def part_of(self, question: str) -> int:
        """The split of the row with this question."""
        [part] = {p for row, p in zip(self.rows, self.parts, strict=True) if row["messages"][0]["content"] == question}
        return part


def check(content: bytes, name: str = "rows.jsonl", **options: Any) -> Checked:
    """Check the content of a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        path.write_bytes(content)
        prepared = prepare(Request(path=path, filename=name, **options), Path(folder))
        index = prepared.index
        return Checked(
            report=prepared.report,
            splits={name: _lines(file) for name, file in prepared.splits.items()},
            rows=_lines(prepared.rows) if prepared.rows is not None else [],
            parts=index.parts.tolist() if index is not None else [],
            findings=_lines(prepared.findings),
            prepared=prepared,
        )


def jsonl(rows: Iterable[object]) -> bytes:
    """Rows as JSON Lines."""
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def chat(question: str, answer: str, **others: object) -> dict[str, Any]:
    """A row of one turn."""
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer, **others}]}


def filler(count: int = 12) -> list[dict[str, Any]]:
    """Good rows that are not near to each other."""
    words = np.random.default_rng(7).integers(0, 26, (count, 6, 5)) + 97
    sentences = [" ".join("".join(map(chr, word)) for word in sentence) for sentence in words.tolist()]
    return [chat(f"{sentence}?", f"{sentence[::-1]}.") for sentence in sentences]


def split_lines(path: Path, seed: int) -> dict[str, list[bytes]]:
    """The lines of train, validation and test of a file."""
    checked = check(path.read_bytes(), path.name, seed=seed)
    assert not checked.refused, checked.report.errors
    return {name: [json.dumps(row).encode() + b"\n" for row in rows] for name, rows in checked.splits.items()}


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]
