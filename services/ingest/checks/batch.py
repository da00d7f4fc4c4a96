"""Rows that passed their checks."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Batch:
    """Good rows of one kind, side by side: where each stood, its canonical line, its question and its answer.

    `fields` holds a row's other values, for templates; `groups` the value of the column that groups rows. Both are
    empty where no row has any.
    """

    kind: str
    places: list[int] = field(default_factory=lambda: list[int]())
    lines: list[bytes] = field(default_factory=lambda: list[bytes]())
    prompts: list[str] = field(default_factory=lambda: list[str]())
    answers: list[str] = field(default_factory=lambda: list[str]())
    fields: list[dict[str, Any]] = field(default_factory=lambda: list[dict[str, Any]]())
    groups: list[str] = field(default_factory=lambda: list[str]())
