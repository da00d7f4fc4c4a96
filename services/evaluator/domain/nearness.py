"""Training rows near an answer: what a model may have learned it from, as far as words tell."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from services.evaluator.domain.results import question


class NotExplained(Exception):
    """The training rows of a checkpoint cannot be searched; the message says why."""


class Near(BaseModel):
    """A training row beside an answer: its line, from 1, its likeness, from 0 to 1, and the row itself."""

    model_config = ConfigDict(frozen=True)

    line: int
    likeness: float
    row: dict[str, Any]


@dataclass(frozen=True)
class TrainingRow:
    """One line of the training rows, and what is said in it; `line` counts from 1."""

    line: int
    text: str
    content: bytes

    def near(self, likeness: float) -> Near:
        return Near(line=self.line, likeness=likeness, row=json.loads(self.content))


def training_rows(content: bytes) -> list[TrainingRow]:
    """The rows of JSON Lines of `{"messages"}` or `{"text"}`; raises `NotExplained` for a line that is neither."""
    lines = enumerate(content.splitlines(), start=1)
    return [TrainingRow(number, _said(number, line), line) for number, line in lines if line.strip()]


def asked_and_said(sample: Mapping[str, Any]) -> str:
    """A sample's question and answer: many a short answer is told apart by its question alone."""
    return f"{question(sample)}\n{sample['answer']}"


def _said(number: int, line: bytes) -> str:
    """What users and the assistant say; the system's words are mostly those of every row."""
    try:
        row = json.loads(line)
        if "text" in row:
            return str(row["text"])
        return "\n".join(str(each.get("content") or "") for each in row["messages"] if each["role"] != "system")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotExplained(f"line {number} of the training rows is unusable: {type(error).__name__}: {error}") from None
