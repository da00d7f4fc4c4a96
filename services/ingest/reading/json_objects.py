"""One JSON object from text, with nothing lost: a repeated key is a problem, not an overwritten value."""

import json
from collections.abc import Iterator
from typing import Any

import orjson

from services.ingest.reading.raw_rows import LineBlock, Problem, RawRow

_MAX_DEPTH = 64


class _Repeated(ValueError):
    pass


def raw_rows(block: LineBlock) -> Iterator[RawRow]:
    """The rows of a block of lines, without the empty ones."""
    for number, line in enumerate(block.content.split(b"\n"), start=block.first):
        if not line.strip():
            continue
        value = parse_line(line)
        yield RawRow(number, None, value) if isinstance(value, Problem) else RawRow(number, value)


def parse_line(line: bytes) -> dict[str, Any] | Problem:
    """The object in one line."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        if (unlike := _not_utf8(line)) is not None:
            return unlike
        if _brackets(line) <= _MAX_DEPTH and b"\\u" not in line and b"NaN" not in line and b"Infinity" not in line:
            return _not_json(error)
        return parse_text(line.decode())
    certain = isinstance(value, dict) and not _may_repeat(line, value) and b"\\u0000" not in line
    # Fewer brackets than levels that are allowed: it cannot be too deep.
    if certain and _brackets(line) <= _MAX_DEPTH:
        return _unwrapped(value)
    return parse_text(line.decode())


def parse_text(text: str) -> dict[str, Any] | Problem:
    """The object in a text, parsed with every check."""
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        text.encode()
        # Escapes such as \ud800 are valid JSON and no text.
        if "\\ud" in text.lower():
            orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except _Repeated as error:
        fix = "keep one of the values: JSON readers would silently use the last"
        return Problem("repeated_key", f"has the key {_short(str(error))!r} twice", fix)
    except UnicodeEncodeError:
        return Problem("not_utf8", "is not valid UTF-8 text", "save the file as UTF-8")
    except TypeError as error:
        if "surrogate" not in str(error):
            return (
                _too_deep() if "recursion" in str(error).lower() else Problem("not_json", str(error)[:200], "check it")
            )
        return Problem("lone_surrogate", "holds half a character (a lone surrogate)", "remove the broken character")
    except RecursionError:
        return _too_deep()
    except ValueError as error:
        return _not_json(error)
    if not isinstance(value, dict):
        return Problem(
            "not_an_object", "is not a JSON object", 'write each row as an object, such as {"messages": [...]}'
        )
    if _depth(value) > _MAX_DEPTH:
        return _too_deep()
    if "\\u0000" in text or "\x00" in text:
        return Problem("nul", "holds a NUL character", "remove the character: tokenizers and tables cannot store it")
    return _unwrapped(value)


def _brackets(line: bytes) -> int:
    return line.count(b"[") + line.count(b"{")


def _unwrapped(value: dict[str, Any]) -> dict[str, Any]:
    """The row inside `{"row": {...}}`, as dataset viewers export it."""
    inner = value.get("row")
    if isinstance(inner, dict) and value.keys() <= {"row", "row_idx", "truncated_cells"}:
        return inner
    return value


def _may_repeat(line: bytes, value: Any) -> bool:
    """Whether there are more places that look like keys than keys in the parsed value."""
    if b" :" in line or b"\t:" in line or b"\r:" in line:
        return True
    return line.count(b'":') != _keys(value)


def _keys(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(_keys(one) for one in value.values() if isinstance(one, dict | list))
    return sum(_keys(one) for one in value if isinstance(one, dict | list))


def _depth(value: Any) -> int:
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        deepest = max(deepest, depth)
        inner = one.values() if isinstance(one, dict) else one
        waiting += [(child, depth + 1) for child in inner if isinstance(child, dict | list)]
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        raise _Repeated(next(key for key, _ in pairs if key in seen or seen.add(key)))
    return made


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _not_utf8(line: bytes) -> Problem | None:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return Problem("not_utf8", f"is not UTF-8 text at byte {error.start + 1}", "save the file as UTF-8")
    return None


def _not_json(error: Exception) -> Problem:
    return Problem("not_json", f"is not JSON: {str(error)[:200]}", "write one JSON object on one line")


def _too_deep() -> Problem:
    return Problem("too_deep", f"is nested more than {_MAX_DEPTH} levels deep", "flatten the row")


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}… ({len(text)} characters)"
