"""All shapes, and which of them a row has."""

from collections.abc import Callable, Mapping
from typing import Any

from services.ingest.shapes.canonical import Row
from services.ingest.shapes.chat import CHAT
from services.ingest.shapes.findings import RowReport
from services.ingest.shapes.pairs import ALPACA, INPUT_OUTPUT, PROMPT_COMPLETION
from services.ingest.shapes.preference import PREFERENCE, PREFERENCE_OPENAI, REJECTED_RESPONSE, UNPAIRED
from services.ingest.shapes.shape import Shape
from services.ingest.shapes.sharegpt import SHAREGPT
from services.ingest.shapes.text import TEXT

# A shape whose keys hold those of another comes before it.
SHAPES: Mapping[str, Shape] = {
    shape.name: shape
    for shape in (
        REJECTED_RESPONSE,
        CHAT,
        SHAREGPT,
        ALPACA,
        PREFERENCE_OPENAI,
        PREFERENCE,
        UNPAIRED,
        PROMPT_COMPLETION,
        INPUT_OUTPUT,
        TEXT,
    )
}
_TELLING = frozenset(key for shape in SHAPES.values() for key in (*shape.required, "tools", "functions"))
_SYNONYMS = (
    ("question", "answer"),
    ("query", "response"),
    ("instruction", "response"),
    ("user", "assistant"),
    ("问题", "答案"),
    ("问题", "回答"),
    ("提问", "回答"),
    ("问", "答"),
    ("输入", "输出"),
    ("指令", "输出"),
)


def shape_of(keys: frozenset[str], report: RowReport) -> Shape | None:
    """The one shape that these keys belong to; a row that fits two, or none, is reported."""
    found = next((shape for shape in SHAPES.values() if keys.issuperset(shape.required)), None)
    if found is None:
        begun = min(
            (shape for shape in SHAPES.values() if keys & set(shape.required)), key=_missing(keys), default=CHAT
        )
        missing = next(key for key in begun.required if key not in keys)
        known = "; ".join(" + ".join(shape.required) for shape in SHAPES.values())
        report.error("missing", missing, f"is missing ({begun.title})", f"rows may have: {known}")
        return None
    if others := sorted((keys & _TELLING) - found.keys):
        reason = f"belongs to another shape than {found.title}, which has {' and '.join(found.required)}"
        report.error("two_shapes", others[0], reason, "keep the keys of one shape, or choose it by the option `shape`")
        return None
    return found


def _missing(keys: frozenset[str]) -> Callable[[Shape], int]:
    return lambda shape: len(set(shape.required) - keys)


def synonyms(columns: frozenset[str]) -> dict[str, str]:
    """Which columns of a table mean prompt and completion, where no shape's keys are there."""
    lowered = {column.strip().lower(): column for column in columns}
    if any(columns.issuperset(shape.required) for shape in SHAPES.values()):
        return {}
    for question, answer in _SYNONYMS:
        if question in lowered and answer in lowered:
            return {lowered[question]: "prompt", lowered[answer]: "completion"}
    return {}


def read(row: dict[str, Any], shape: Shape, report: RowReport, *, flat: bool, used: frozenset[str]) -> Row | None:
    """The canonical row, None when it is refused. `used` are further keys that a template has a use for."""
    for key in row.keys() - shape.keys - used:
        if shape.strict:
            report.error("unknown_key", key, f"is not allowed beside {shape.required[0]!r}", "remove it")
        elif row[key] is not None and row[key] != "":
            report.notice("unknown_key", key, "is not used", "remove it, or use it in a template")
    made = shape.read(row, report, flat)
    return None if report.refused else made
