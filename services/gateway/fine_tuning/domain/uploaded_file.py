"""An uploaded file and the result of its checks; events may arrive in any order."""

import re
from typing import Literal

from pydantic import BaseModel

from shared.events import DatasetReady, DatasetRejected, DatasetUploaded, Failure, RowError

RESULTS = "fine-tune-results"
"""The purpose of the files that Assay makes."""
FileStatus = Literal["uploaded", "processed", "error"]
MAX_NAMED_LINES = 20
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


class UploadedFile(BaseModel):
    """What is known of one file; `at` is when it was uploaded, in Unix seconds."""

    id: str
    at: float = 0.0
    request_digest: str = ""
    owner: str = ""
    """The id of the key that uploaded it."""
    upload: DatasetUploaded | None = None
    ready: DatasetReady | None = None
    rejected: DatasetRejected | None = None
    known: bool = False
    """It was uploaded and not deleted."""
    deleted: bool = False
    traceparent: str | None = None
    """The trace of its upload, which its jobs continue."""

    @property
    def is_result(self) -> bool:
        return self.upload is not None and self.upload.purpose == RESULTS

    @property
    def status(self) -> FileStatus:
        if self.rejected:
            return "error"
        return "processed" if self.ready or self.is_result else "uploaded"

    @property
    def content_is_unused(self) -> bool:
        """It was deleted, and ingest has read it or never will."""
        return self.deleted and self.status != "uploaded"

    @property
    def failure(self) -> Failure | None:
        """Why no job can train on it; None for a file that is good or not checked yet."""
        if self.rejected is None:
            return None
        return Failure(code="invalid_training_file", message=describe(self.rejected), param="training_file")


def describe(rejected: DatasetRejected) -> str:
    """The bad lines of a file in one sentence."""
    named = "; ".join(map(_row_error_text, rejected.errors[:MAX_NAMED_LINES]))
    message = f"{rejected.bad_rows} of {rejected.rows} rows are bad: {named}"
    more = len(rejected.errors) - MAX_NAMED_LINES
    if more <= 0:
        return message
    return f"{message}; and {more} more (the ingest service lists all: GET /v1/datasets/{rejected.file_id}/findings)"


def _row_error_text(error: RowError) -> str:
    place = ", ".join([f"line {error.line}"] * bool(error.line) + [error.field] * bool(error.field))
    return f"{place or 'the file'}: {error.reason}"


def clean_filename(name: str) -> str:
    """A name that can be shown and kept: no folders, no control characters, at most 255 characters."""
    return _UNPRINTABLE.sub("", re.split(r"[/\\]", name)[-1])[-255:] or "file.jsonl"
