"""An uploaded file and what became of it."""

from typing import Literal

from pydantic import BaseModel

from services.ingest.report import Report
from shared.events import DatasetReady, DatasetRejected, DatasetUploaded


class Dataset(BaseModel):
    """`id` is the file's. `number` counts the versions of a series; `previous` is the version before."""

    id: str
    upload: DatasetUploaded
    status: Literal["ready", "rejected"]
    ready: DatasetReady | None = None
    rejected: DatasetRejected | None = None
    report: Report = Report()
    number: int = 1
    previous: str | None = None
