"""An uploaded file and what became of it, whatever the order in which that was heard."""

import re
from typing import Literal

from pydantic import BaseModel

from shared.events import DatasetReady, DatasetRejected, DatasetUploaded, Failure, RowError

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

    @property
    def status(self) -> FileStatus:
        if self.rejected:
            return "error"
        return "processed" if self.ready else "uploaded"

    @property
    def failure(self) -> Failure | None:
        """Why no job can train on it, None as long as nothing speaks against it."""
        if self.rejected is None:
            return None
        return Failure(code="invalid_training_file", message=describe(self.rejected), param="training_file")


def describe(rejected: DatasetRejected) -> str:
    """The bad lines of a file in one sentence."""
    named = "; ".join(map(_row_error_text, rejected.errors[:MAX_NAMED_LINES]))
    more = len(rejected.errors) - MAX_NAMED_LINES
    return f"{rejected.bad_rows} of {rejected.rows} rows are bad: {named}" + (f"; and {more} more" if more > 0 else "")


def _row_error_text(error: RowError) -> str:
    place = ", ".join([f"line {error.line}"] * bool(error.line) + [error.field] * bool(error.field))
    return f"{place or 'the file'}: {error.reason}"


def clean_filename(name: str) -> str:
    """A name that can be shown and kept: no folders, no control characters, at most 255 characters."""
    return _UNPRINTABLE.sub("", re.split(r"[/\\]", name)[-1])[-255:] or "file.jsonl"
