"""A row of any kind as a page shows it: turns of text, with the words that were searched for marked."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup, escape

_SHOWN_CHARS = 2_000


@dataclass(frozen=True)
class Turn:
    """One text of a row. `role` is that of a message, or `text`, `preferred`, `rejected`, `answer`."""

    role: str
    text: str
    calls: Sequence[str] = ()
    learned: bool = True
    left_chars: int = 0
    """How many characters are not shown."""


@dataclass(frozen=True)
class ShownRow:
    """A row with its place in the file; `label` is that of an answer with a label."""

    row: int
    line: int
    split: str
    flags: Sequence[str]
    turns: Sequence[Turn]
    tools: Sequence[str] = field(default_factory=tuple)
    label: bool | None = None


def shown_row(found: Mapping[str, Any]) -> ShownRow:
    """A row as `Rows` gives it."""
    content = found["content"]
    asked = content.get("input", content)
    return ShownRow(
        row=found["row"],
        line=found["line"],
        split=found["split"],
        flags=found["flags"],
        turns=list(_turns(content, asked)),
        tools=[str(one.get("function", one).get("name", "")) for one in asked.get("tools", [])],
        label=content.get("label"),
    )


def marked(text: str, needle: str) -> Markup:
    """The text, escaped, with each place that holds `needle` marked, whatever its case."""
    if not needle:
        return escape(text)
    parts = re.split(f"({re.escape(needle)})", text, flags=re.IGNORECASE)
    hit = Markup("<mark>{}</mark>")
    return Markup("").join(hit.format(part) if place % 2 else escape(part) for place, part in enumerate(parts))


def _turns(content: Mapping[str, Any], asked: Mapping[str, Any]) -> list[Turn]:
    if "text" in content:
        return [_turn("text", content)]
    turns = [_turn(one["role"], one) for one in asked.get("messages", [])]
    for key, role in (("preferred_output", "preferred"), ("non_preferred_output", "rejected"), ("output", "answer")):
        turns += [_turn(role, one) for one in content.get(key, [])]
    return turns


def _turn(role: str, said: Mapping[str, Any]) -> Turn:
    text = str(said.get("content", said.get("text", "")))
    calls = [f"{call['function']['name']}({call['function']['arguments']})" for call in said.get("tool_calls", [])]
    return Turn(
        role=role,
        text=text[:_SHOWN_CHARS],
        calls=[call[:_SHOWN_CHARS] for call in calls],
        learned=said.get("weight", 1) != 0,
        left_chars=max(0, len(text) - _SHOWN_CHARS),
    )
