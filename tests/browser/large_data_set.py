"""A dataset of half a million rows, written as the check of a file would have written it."""

from pathlib import Path

import numpy as np

from services.ingest.domain.dataset import Dataset
from services.ingest.report import Counts, Report
from services.ingest.row_index import RowIndex
from shared.events import Artifact, DatasetUploaded
from tests.browser.data_page_site import DataPages
from tests.browser.site import at_once

ROWS = 500_000
ABSENT = Artifact(uri="memory://x", sha256="0" * 64, bytes=1)


def add_large_data_set(data: DataPages, folder: Path, rows: int = ROWS) -> None:
    """The dataset `file-large`; its rows and their index are first written to `folder`."""
    line = b'{"messages":[{"role":"user","content":"Question %07d?"},{"role":"assistant","content":"Answer."}]}\n'
    (folder / "rows.jsonl").write_bytes(b"".join(line % number for number in range(rows)))
    digests = np.arange(rows, dtype=np.uint64)
    ends = (digests + 1) * np.uint64(len(line % 0))
    none, places = np.zeros(rows, np.uint8), np.arange(1, rows + 1, dtype=np.uint32)
    RowIndex(places, none, none, ends, np.stack([digests, digests], axis=1), digests).save(folder / "index.npz")
    report = Report(
        kind="chat",
        counts=Counts(rows=rows, train=rows),
        rows=data.artifacts.put_file(folder / "rows.jsonl"),
        index=data.artifacts.put_file(folder / "index.npz"),
    )
    upload = DatasetUploaded(file_id="file-large", filename="large.jsonl", artifact=ABSENT)
    at_once(data.datasets.datasets.create(Dataset(id="file-large", upload=upload, status="ready", report=report)))
