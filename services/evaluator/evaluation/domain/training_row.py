"""Training rows that are similar to an answer, and may explain it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from services.evaluator.scoring.domain.answer import question


class NotExplained(Exception):
    """The training rows of a checkpoint cannot be searched; the message says why."""


class NearestRow(BaseModel):
    """A training row near an answer: its line, from 1, its similarity, from 0 to 1, and its content."""

    model_config = ConfigDict(frozen=True)

    line: int
    likeness: float
    row: dict[str, Any]


@dataclass(frozen=True)
class TrainingRow:
    """One line of the training rows and its text; `line` counts from 1."""

    line: int
    text: str
    content: bytes

    def nearest(self, likeness: float) -> NearestRow:
        return NearestRow(line=self.line, likeness=likeness, row=json.loads(self.content))


def training_rows(content: bytes) -> list[TrainingRow]:
    """The rows of JSON Lines of `{"messages"}` or `{"text"}`; raises `NotExplained` for any other line."""
    lines = enumerate(content.split(b"\n"), start=1)
    return [TrainingRow(number, _text(number, line), line) for number, line in lines if line.strip()]


def question_and_answer(sample: Mapping[str, Any]) -> str:
    """A sample's question and answer; the question distinguishes equal short answers."""
    return f"{question(sample)}\n{sample['answer']}"


def _text(number: int, line: bytes) -> str:
    """All messages except the system's, which is mostly the same in every row."""
    try:
        row = json.loads(line)
        if "text" in row:
            return str(row["text"])
        return "\n".join(str(each.get("content") or "") for each in row["messages"] if each["role"] != "system")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotExplained(f"line {number} of the training rows is unusable: {type(error).__name__}: {error}") from None
