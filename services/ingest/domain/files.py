"""What a file of rows adds up to, and how it is split."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from services.ingest.domain.examples import Conversation, PlainText
from services.ingest.domain.rows import BadRow, read_row
from shared.events import RowError

MIN_ROWS = 10
MAX_REPORTED_ERRORS = 100
Example = Conversation | PlainText


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

    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]


@dataclass(frozen=True)
class CheckedFile:
    """The usable rows of a file, each once, and what was left out."""

    rows: int
    examples: tuple[Example, ...]
    dropped_rows: int
    duplicate_rows: int

    def split(self, seed: int, held_out: float = 0.1) -> Parts:
        """Give a tenth each to test and validation, by a digest of seed and prompt: the order of rows does not matter.

        Rows with the same prompt stay together.
        """
        groups: dict[bytes, list[Example]] = {}
        for example in self.examples:
            key = hashlib.sha256(f"{seed}/".encode() + example.prompt_key()).digest()
            groups.setdefault(key, []).append(example)
        wanted = max(1, round(len(self.examples) * held_out))
        test: list[Example] = []
        validation: list[Example] = []
        train: list[Example] = []
        for key in sorted(groups):
            part = test if len(test) < wanted else validation if len(validation) < wanted else train
            part.extend(groups[key])
        if not train:
            error = RowError(line=0, field="", reason="has too few different prompts to hold any out for testing")
            raise DatasetRefused(self.rows, 0, [error])
        return Parts(tuple(train), tuple(validation), tuple(test))


def read_file(content: bytes, *, drop_bad_rows: bool) -> CheckedFile:
    """Check every line of a JSON Lines file; raises `DatasetRefused` when it cannot be used as it is."""
    good: dict[bytes, Example] = {}
    errors: list[RowError] = []
    rows = bad_rows = 0
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        rows += 1
        try:
            example = read_row(number, line)
            if good and type(example) is not type(next(iter(good.values()))):
                raise _of_two_kinds(number, example)
            good.setdefault(example.line(), example)
        except BadRow as bad:
            bad_rows += 1
            errors.extend(bad.errors)
    if bad_rows and not drop_bad_rows:
        raise DatasetRefused(rows, bad_rows, errors)
    if len(good) < MIN_ROWS:
        reason = f"has {len(good)} different good rows; at least {MIN_ROWS} are needed"
        raise DatasetRefused(rows, bad_rows, [RowError(line=0, field="", reason=reason), *errors])
    return CheckedFile(rows, tuple(good.values()), bad_rows, rows - bad_rows - len(good))


def _of_two_kinds(line: int, example: Example) -> BadRow:
    field = "text" if isinstance(example, PlainText) else ""
    reason = "plain text and rows with answers cannot be in one file: they are learned in different ways"
    return BadRow([RowError(line=line, field=field, reason=reason)])
