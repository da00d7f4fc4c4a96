"""JSON Lines as blocks of lines in UTF-8; a line that is too long is passed over without being held."""

import codecs
from collections.abc import Iterator
from typing import Any

from services.ingest.reading.limits import MIB, Limits
from services.ingest.reading.raw_rows import Block, LineBlock, Problem, RawRow

_CHUNK_BYTES = MIB


def read(stream: Any, encoding: str, limits: Limits) -> Iterator[Block]:
    """Blocks of whole lines, in their order."""
    first, rest, skipping = 1, b"", False
    for chunk in _utf8_chunks(stream, encoding):
        content = rest + chunk
        end = content.rfind(b"\n") + 1
        if skipping:
            cut = content.find(b"\n") + 1
            if not cut:
                rest = b""
                continue
            content, end, skipping, first = content[cut:], end - cut, False, first + 1
        if end > 0:
            yield from _bounded(first, content[:end], limits)
            first += content.count(b"\n", 0, end)
        rest = content[max(end, 0) :]
        if len(rest) > limits.row:
            yield [_too_long(first, limits)]
            rest, skipping = b"", True
    if rest and not skipping:
        yield from _bounded(first, rest, limits)


def too_long(limits: Limits) -> Problem:
    """Why a row of more than `limits.row` bytes is refused."""
    return Problem("row_too_long", f"is longer than {limits.row} bytes", "split the row, or shorten its texts")


def _bounded(first: int, content: bytes, limits: Limits) -> Iterator[Block]:
    """The block, with lines that are too long as problems."""
    if len(content) <= limits.row or max(map(len, content.split(b"\n"))) <= limits.row:
        yield LineBlock(first, content)
        return
    for number, line in enumerate(content.removesuffix(b"\n").split(b"\n"), start=first):
        yield [_too_long(number, limits)] if len(line) > limits.row else LineBlock(number, line)


def _too_long(line: int, limits: Limits) -> RawRow:
    return RawRow(line, None, too_long(limits))


def _utf8_chunks(stream: Any, encoding: str) -> Iterator[bytes]:
    chunks = iter(lambda: stream.read(_CHUNK_BYTES), b"")
    if encoding == "utf-8":
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(encoding)("surrogateescape" if encoding == "utf-8-sig" else "replace")
    for chunk in chunks:
        yield decoder.decode(chunk).encode("utf-8", "surrogateescape")
    yield decoder.decode(b"", final=True).encode("utf-8", "surrogateescape")
