"""One line of a file: which format it has, whether it is right, and the training example that it stands for."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError

from services.ingest.domain.examples import Conversation, Message, PlainText
from services.ingest.domain.formats import FORMATS, TELLING_KEYS, ChatRow, Row
from shared.events import RowError

MAX_LINE_BYTES = 1024 * 1024


class BadRow(Exception):
    """A line that is no training example, with every reason found."""

    def __init__(self, errors: Sequence[RowError]) -> None:
        super().__init__("; ".join(f"line {e.line}, {e.field}: {e.reason}" for e in errors))
        self.errors = tuple(errors)


def read_row(line: int, content: bytes) -> Conversation | PlainText:
    """The example of one line in any of the formats; raises `BadRow`. `line` counts from 1."""
    if len(content) > MAX_LINE_BYTES:
        raise _bad(line, "", f"is longer than {MAX_LINE_BYTES} bytes")
    try:
        row: Any = json.loads(content.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise _bad(line, "", "is not UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        raise _bad(line, "", f"is not JSON: {error}") from None
    if not isinstance(row, dict):
        raise _bad(line, "", "is not a JSON object")
    kind = _format_of(line, row.keys())
    try:
        example = kind.model_validate(row).example()
    except ValidationError as error:
        raise BadRow([_translate(line, e) for e in error.errors(include_url=False)]) from None
    if isinstance(example, Conversation) and (errors := list(_turn_errors(line, example.messages))):
        raise BadRow(errors)
    return example


def _format_of(line: int, keys: Iterable[str]) -> type[Row]:
    """The one format that a row's keys belong to; a row without any is taken for a chat with its `messages` missing."""
    keys = set(keys)
    kind = next((kind for kind in FORMATS if kind.is_told_by(keys)), ChatRow)
    if others := sorted(keys & TELLING_KEYS - kind.model_fields.keys()):
        reason = f"belongs to another format; a row of {kind.NAME} has {kind.described()} and nothing of another format"
        raise _bad(line, others[0], reason)
    return kind


def _turn_errors(line: int, messages: Sequence[Message]) -> Iterable[RowError]:
    turns = list(enumerate(messages))
    if messages[0].role == "system":
        turns = turns[1:]
    for place, (index, message) in enumerate(turns):
        field = f"messages[{index}]"
        if not message.content.strip():
            yield RowError(line=line, field=f"{field}.content", reason="is empty")
        if message.role == "system":
            yield RowError(line=line, field=f"{field}.role", reason="a system message can only be the first")
            return
        expected = "assistant" if place % 2 else "user"
        if message.role != expected:
            reason = f"is '{message.role}', expected '{expected}': user and assistant take turns, the user first"
            yield RowError(line=line, field=f"{field}.role", reason=reason)
            return
    if not turns or len(turns) % 2:
        yield RowError(line=line, field="messages", reason="must end with an answer of the assistant")


def _translate(line: int, error: Any) -> RowError:
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    reason = {"string_pattern_mismatch": "is empty", "extra_forbidden": "is not allowed here"}.get(error["type"])
    return RowError(line=line, field=field, reason=reason or error["msg"])


def _bad(line: int, field: str, reason: str) -> BadRow:
    return BadRow([RowError(line=line, field=field, reason=reason)])


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
