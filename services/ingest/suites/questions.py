"""The questions of a suite, read from its published content and the tables that it names."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from services.ingest.ports import Files
from services.ingest.reading.limits import Limits
from services.ingest.reading.refusal import FileRefused
from services.ingest.reading.sources import ReadOptions, open_source
from shared.artifacts import ArtifactError
from shared.events import Artifact

MAX_QUESTIONS = 100_000
_QUESTION_COLUMN = "question"


class SuiteQuestion(NamedTuple):
    """A question and the task that asks it."""

    task: str
    text: str


class SuiteContentError(ValueError):
    """The content of a suite, or one of its tables, cannot be read."""


def questions_of(content: dict[str, Any], files: Files) -> Iterator[SuiteQuestion]:
    """At most `MAX_QUESTIONS` questions; none of the tasks of lm-evaluation-harness, which keep theirs in that library.

    Raises `SuiteContentError`.
    """
    count = 0
    for place, task in enumerate(content.get("tasks") or (), start=1):
        name = str(task.get("name") or f"task-{place}")
        column = (task.get("columns") or {}).get("question") or _QUESTION_COLUMN
        for row in _rows(task.get("data") or {}, files):
            text = row.get(column)
            if text in (None, "") or count == MAX_QUESTIONS:
                continue
            count += 1
            yield SuiteQuestion(name, str(text))


def _rows(table: dict[str, Any], files: Files) -> list[dict[str, Any]]:
    if table.get("rows"):
        return [row for row in table["rows"] if isinstance(row, dict)]
    if not table.get("artifact"):
        return []
    artifact, file_format = Artifact.model_validate(table["artifact"]), str(table.get("format") or "jsonl")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            files.fetch_file(artifact, folder / "table")
            source = open_source(folder / "table", f"table.{file_format}", ReadOptions(), Limits(), folder)
            return [row.value for row in source.rows() if row.value is not None]
        except (ArtifactError, FileRefused) as error:
            raise SuiteContentError(str(error)) from None


def write(questions: Iterator[SuiteQuestion]) -> bytes:
    """Questions as JSON Lines."""
    return b"".join(json.dumps([one.task, one.text], ensure_ascii=False).encode() + b"\n" for one in questions)


def read(content: bytes) -> list[SuiteQuestion]:
    """The questions that `write` wrote."""
    return [SuiteQuestion(*json.loads(line)) for line in content.split(b"\n") if line]
