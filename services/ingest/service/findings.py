"""Pages of the errors and notices of a dataset, read from its artifact by position."""

import json
from dataclasses import dataclass
from typing import Any

from services.ingest.domain.dataset import Dataset
from services.ingest.ports import Files
from shared.events import Artifact
from shared.store import CursorError

_SCANNED_LINES = 200_000


@dataclass(frozen=True)
class FindingPage:
    """Some findings; `next` is where the following page starts, None at the end."""

    data: list[dict[str, Any]]
    next: int | None


@dataclass(frozen=True)
class Findings:
    """Reads findings."""

    files: Files

    def page(self, dataset: Dataset, after: int, limit: int, severity: str = "", code: str = "") -> FindingPage:
        """Up to `limit` findings from position `after` on; a search reads a bounded number, its page may be short.

        Raises `CursorError` when no finding ends at `after`.
        """
        data: list[dict[str, Any]] = []
        if dataset.report.findings is None:
            return FindingPage([error.model_dump() for error in dataset.report.errors], None)
        with self.files.open(dataset.report.findings) as file:
            _move_to(file, after, dataset.report.findings)
            for _ in range(_SCANNED_LINES):
                at = file.tell()
                if not (line := file.readline()):
                    return FindingPage(data, None)
                if len(data) == limit:
                    return FindingPage(data, at)
                one = json.loads(line)
                if severity in ("", one["severity"]) and code in ("", one["code"]):
                    data.append(one)
            return FindingPage(data, file.tell())


def _move_to(file: Any, after: int, findings: Artifact) -> None:
    if 0 < after <= findings.bytes:
        file.seek(after - 1)
    if after > findings.bytes or (after and file.read(1) != b"\n"):
        raise CursorError(f"'after' must be the 'next' of a page of these findings; got {after}", "after")
