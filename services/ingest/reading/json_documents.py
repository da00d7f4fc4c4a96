"""One JSON document: an array of rows, alone or inside a wrapper, read row by row with bounded memory."""

import io
import json
import re
from collections.abc import Iterator

from services.ingest.reading.json_lines import too_long
from services.ingest.reading.json_objects import parse_text
from services.ingest.reading.limits import Limits
from services.ingest.reading.raw_rows import Block, Detected, Problem, RawRow
from services.ingest.reading.refusal import FileRefused

WRAPPER_KEYS = ("rows", "data", "examples", "records", "instances", "items", "train")
_CHUNK_CHARS = 256 * 1024
_ROWS_IN_BLOCK = 500
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


class JsonText:
    """A JSON text that is read piece by piece."""

    def __init__(self, text: io.TextIOBase, limits: Limits) -> None:
        self._text = text
        self._limits = limits
        self._buffer = ""
        self._at = 0
        self._ended = False

    def next_char(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            match = _SPACE.match(self._buffer, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._fill():
                return ""

    def take(self, char: str) -> bool:
        """Take `char` if it is next."""
        if self.next_char() != char:
            return False
        self._at += 1
        return True

    def value(self) -> str:
        """The text of the next value; raises `ValueError` for one that is damaged or too long."""
        self.next_char()
        while True:
            try:
                _, end = _DECODER.raw_decode(self._buffer, self._at)
            except (ValueError, RecursionError):
                too_much = len(self._buffer) - self._at > self._limits.row
                if too_much or not self._fill():
                    raise ValueError("too long" if too_much else "damaged") from None
                continue
            # A number or word at the end of the buffer may go on.
            if end == len(self._buffer) and self._buffer[end - 1] not in '"}]' and self._fill():
                continue
            found, self._at = self._buffer[self._at : end], end
            return found

    def _fill(self) -> bool:
        if self._ended:
            return False
        chunk = self._text.read(_CHUNK_CHARS)
        self._ended = not chunk
        self._buffer, self._at = self._buffer[self._at :] + chunk, 0
        return bool(chunk)


def read(text: io.TextIOBase, detected: Detected, limits: Limits) -> Iterator[Block]:
    """The rows of an array, of an array under one of `WRAPPER_KEYS`, or the one row that the document is."""
    source = JsonText(text, limits)
    if source.next_char() == "{":
        single = _enter_wrapper(source, detected)
        if single is not None:
            yield [single]
            return
    elif source.next_char() != "[":
        raise FileRefused("not_json", "the file starts with neither [ nor {", "save the rows as a JSON array")
    yield from _elements(source, limits)


def _elements(source: JsonText, limits: Limits) -> Iterator[Block]:
    source.take("[")
    rows: list[RawRow] = []
    number = 0
    while not source.take("]"):
        number += 1
        try:
            rows.append(_row(number, source.value()))
        except ValueError as error:
            if str(error) == "too long":
                yield [*rows, RawRow(number, None, too_long(limits))]
                raise FileRefused(
                    "row_too_long", f"row {number} is too long or damaged", too_long(limits).fix
                ) from None
            raise _damaged(number) from None
        if len(rows) >= _ROWS_IN_BLOCK:
            yield rows
            rows = []
        if not source.take(",") and source.next_char() != "]":
            raise _damaged(number)
    if rows:
        yield rows


def _damaged(number: int) -> FileRefused:
    reason = f"the JSON array is damaged or was cut off at row {number}"
    return FileRefused("damaged_json", reason, "save the file again; JSON Lines names each bad row by its line")


def _row(number: int, text: str) -> RawRow:
    value = parse_text(text)
    return RawRow(number, None, value) if isinstance(value, Problem) else RawRow(number, value)


def _enter_wrapper(source: JsonText, detected: Detected) -> RawRow | None:
    """Go to the array of rows inside an object; gives the object as the one row when it has none."""
    source.take("{")
    members: list[str] = []
    while not source.take("}"):
        try:
            key = source.value()
            if not key.startswith('"') or not source.take(":"):
                raise ValueError("damaged")
            if json.loads(key) in WRAPPER_KEYS and source.next_char() == "[":
                detected.wrapper = json.loads(key)
                return None
            members.append(f"{key}:{source.value()}")
        except ValueError:
            raise FileRefused("damaged_json", "the JSON document is damaged or was cut off", "save it again") from None
        source.take(",")
    return _row(1, "{" + ",".join(members) + "}")
