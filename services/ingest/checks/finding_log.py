"""All findings of a file: written to disk as they are found, the first of them kept for the answer."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec

from services.ingest.shapes.findings import Finding

SHOWN = 100
# Every row may have the same needless column; its notices stop being listed there, and are counted on.
LISTED_NOTICES = 10_000


class FindingLog:
    """Errors are all written; notices up to `LISTED_NOTICES` of each code. Counts are complete."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._encoder = msgspec.json.Encoder()
        self.path = path
        self.errors: list[Finding] = []
        self.notices: list[Finding] = []
        self.counts: Counter[str] = Counter()

    def add(self, findings: Iterable[Finding]) -> None:
        """Write the findings of one row."""
        for finding in findings:
            self.counts[finding.code] += 1
            shown = self.errors if finding.severity == "error" else self.notices
            if len(shown) < SHOWN:
                shown.append(finding)
            if finding.severity == "error" or self.counts[finding.code] <= LISTED_NOTICES:
                self._file.write(self._encoder.encode(finding) + b"\n")

    def close(self) -> None:
        self._file.close()
