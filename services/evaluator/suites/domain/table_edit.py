"""A table of questions as people edit it: cells as text, a page of rows at a time."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.evaluator.suites.domain.task import Columns

Row = Mapping[str, Any]


@dataclass(frozen=True)
class TableEdit:
    """The rows from `first` (from 0) on, `count` of them, as they were typed; a row without any text is removed."""

    first: int
    count: int
    rows: Sequence[Mapping[str, str]]


def columns_of(rows: Sequence[Row], columns: Columns) -> list[str]:
    """Every column: question and answer first, the others as the rows name them."""
    found = dict.fromkeys(name for row in rows for name in row)
    return list(dict.fromkeys([columns.question, columns.answer, *found]))


def cell_text(value: Any) -> str:
    """A cell as text; a list or number is written as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def edited(rows: Sequence[Row], edit: TableEdit) -> list[dict[str, Any]]:
    """The complete table with the edited rows. A cell that was not changed keeps its value."""
    before = rows[edit.first : edit.first + edit.count]
    not_texts = {name for row in rows for name, value in row.items() if not isinstance(value, str)}
    changed = [
        _row(before[place] if place < len(before) else {}, typed, not_texts) for place, typed in enumerate(edit.rows)
    ]
    kept = [row for row in changed if any(value != "" for value in row.values())]
    return [*map(dict, rows[: edit.first]), *kept, *map(dict, rows[edit.first + edit.count :])]


def _row(known: Row, typed: Mapping[str, str], not_texts: set[str]) -> dict[str, Any]:
    values = {
        name: known[name] if name in known and cell_text(known[name]) == text else _value(text, name in not_texts)
        for name, text in typed.items()
        if text.strip() or name in known
    }
    return {name: value for name, value in values.items() if value != ""}


def _value(text: str, as_json: bool) -> Any:
    if as_json:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            pass
    return text if text.strip() else ""
