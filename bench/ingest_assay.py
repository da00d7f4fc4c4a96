"""Assay's side of `bench.ingest`: ingest's own preparation."""

import sys
import tempfile
from pathlib import Path

from bench.own_process import measured
from services.ingest.preparation import Request, prepare


def check(path: Path, *, everything: bool) -> dict[str, int]:
    """The rows to train on, and the duplicates that were found."""
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare(Request(path, path.name, near=everything, measured=everything), Path(folder))
        counts = prepared.report.counts
        return {"train": counts.train, "duplicates": counts.duplicates, "near": prepared.report.twins.near}


if __name__ == "__main__":
    measured(lambda: check(Path(sys.argv[2]), everything=sys.argv[1] == "everything"))
