"""What a row must look like, what a file of rows adds up to, and how it is split."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.events import RowError

MIN_ROWS = 10
MAX_REPORTED_ERRORS = 100
MAX_LINE_BYTES = 1024 * 1024
OTHER_FORMATS_KEYS = frozenset(
    {"prompt", "completion", "text", "conversations", "instruction", "input", "output"}
    | {"chosen", "rejected", "preferred_output", "non_preferred_output", "tools", "functions"}
)


class Message(BaseModel):
    """One message of a conversation."""

    model_config = ConfigDict(strict=True, frozen=True)

    role: Literal["system", "user", "assistant"]
    content: str = Field(min_length=1)


class Conversation(BaseModel):
    """One training example: an optional system message, then user and assistant in turns."""

    model_config = ConfigDict(strict=True, frozen=True)

    messages: tuple[Message, ...] = Field(min_length=1, strict=False)

    def line(self) -> bytes:
        """The example as one canonical line, so that equal examples are equal bytes."""
        return json.dumps(self.model_dump(), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    def prompt_key(self) -> bytes:
        """A digest of everything before the last answer."""
        question = [message.model_dump() for message in self.messages[:-1]]
        return hashlib.sha256(json.dumps(question, ensure_ascii=False).encode()).digest()


class BadRow(Exception):
    """A line that is no training example, with every reason found."""

    def __init__(self, errors: Sequence[RowError]) -> None:
        super().__init__("; ".join(f"line {e.line}, {e.field}: {e.reason}" for e in errors))
        self.errors = tuple(errors)


class DatasetRefused(Exception):
    """A file that cannot be trained on. `bad_rows` counts its bad lines, `errors` holds the first of them."""

    def __init__(self, rows: int, bad_rows: int, errors: Sequence[RowError]) -> None:
        super().__init__(f"{bad_rows} of {rows} rows are bad")
        self.rows = rows
        self.bad_rows = bad_rows
        self.errors = tuple(errors[:MAX_REPORTED_ERRORS])


@dataclass(frozen=True)
class Parts:
    """Three disjoint parts of a file; no prompt is in two of them."""

    train: tuple[Conversation, ...]
    validation: tuple[Conversation, ...]
    test: tuple[Conversation, ...]


@dataclass(frozen=True)
class CheckedFile:
    """The usable rows of a file, each once, and what was left out."""

    rows: int
    conversations: tuple[Conversation, ...]
    dropped_rows: int
    duplicate_rows: int

    def split(self, seed: int, held_out: float = 0.1) -> Parts:
        """Give a tenth each to test and validation, by a digest of seed and prompt: the order of rows does not matter.

        Rows with the same prompt stay together.
        """
        groups: dict[bytes, list[Conversation]] = {}
        for conversation in self.conversations:
            key = hashlib.sha256(f"{seed}/".encode() + conversation.prompt_key()).digest()
            groups.setdefault(key, []).append(conversation)
        wanted = max(1, round(len(self.conversations) * held_out))
        test: list[Conversation] = []
        validation: list[Conversation] = []
        train: list[Conversation] = []
        for key in sorted(groups):
            part = test if len(test) < wanted else validation if len(validation) < wanted else train
            part.extend(groups[key])
        if not train:
            error = RowError(line=0, field="messages", reason="too few different prompts to hold any out for testing")
            raise DatasetRefused(self.rows, 0, [error])
        return Parts(tuple(train), tuple(validation), tuple(test))


def read_row(line: int, content: bytes) -> Conversation:
    """One example of OpenAI's chat format; raises `BadRow`. `line` counts from 1."""
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
    if others := sorted(OTHER_FORMATS_KEYS & row.keys()):
        raise _bad(line, others[0], "belongs to another format; a row has 'messages' and nothing of another format")
    try:
        conversation = Conversation.model_validate(row)
    except ValidationError as error:
        raise BadRow([_translate(line, e) for e in error.errors(include_url=False)]) from None
    if errors := list(_turn_errors(line, conversation.messages)):
        raise BadRow(errors)
    return conversation


def read_file(content: bytes, *, drop_bad_rows: bool) -> CheckedFile:
    """Check every line of a JSON Lines file; raises `DatasetRefused` when it cannot be used as it is."""
    good: dict[bytes, Conversation] = {}
    errors: list[RowError] = []
    rows = bad_rows = 0
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        rows += 1
        try:
            conversation = read_row(number, line)
            good.setdefault(conversation.line(), conversation)
        except BadRow as bad:
            bad_rows += 1
            errors.extend(bad.errors)
    if bad_rows and not drop_bad_rows:
        raise DatasetRefused(rows, bad_rows, errors)
    if len(good) < MIN_ROWS:
        reason = f"has {len(good)} different good rows; at least {MIN_ROWS} are needed"
        raise DatasetRefused(rows, bad_rows, [RowError(line=0, field="", reason=reason), *errors])
    return CheckedFile(rows, tuple(good.values()), bad_rows, rows - bad_rows - len(good))


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
    return RowError(line=line, field=field, reason=error["msg"])


def _bad(line: int, field: str, reason: str) -> BadRow:
    return BadRow([RowError(line=line, field=field, reason=reason)])


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
