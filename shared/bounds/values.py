"""Bounds of texts, lists, dicts and objects, applied to JSON data."""

import json
from dataclasses import dataclass
from typing import Any, Protocol

from shared.bounds.limits import BoundsError, MaxBytes, MaxEntries, Place

_MARK = "… [cut]"
_INT_LIMIT = 2**63


class Bound(Protocol):
    """The bound of one type."""

    def apply(self, value: Any, place: Place) -> Any:
        """The value with long parts cut; raises `BoundsError`."""
        ...

    def largest(self) -> int:
        """The most bytes of JSON."""
        ...


@dataclass(frozen=True)
class Scalar:
    """A number, a truth value or one of some constants; `bytes` is its longest JSON encoding."""

    bytes: int

    def apply(self, value: Any, place: Place) -> Any:
        if isinstance(value, int) and abs(value) >= _INT_LIMIT:
            raise BoundsError(place, "the number does not fit into 64 bits")
        return value

    def largest(self) -> int:
        return self.bytes


@dataclass(frozen=True)
class Text:
    max: MaxBytes

    def apply(self, value: str | None, place: Place) -> str | None:
        if value is None:
            return None
        if self.max.cut:
            value = value.encode(errors="replace").decode()
        elif not _is_unicode(value):
            raise BoundsError(place, "the text is not valid Unicode")
        if (size := _json_bytes(value)) <= self.max.limit:
            return value
        if not self.max.cut:
            raise BoundsError(place, f"{size} bytes, at most {self.max.limit} are allowed")
        return _cut(value, self.max.limit)

    def largest(self) -> int:
        return self.max.limit + 2


@dataclass(frozen=True)
class List:
    item: Bound
    max: MaxEntries

    def apply(self, value: list[Any] | None, place: Place) -> list[Any] | None:
        if value is None:
            return None
        _check_entries(len(value), self.max, place)
        return [self.item.apply(item, (*place, str(n))) for n, item in enumerate(value[: self.max.limit])]

    def largest(self) -> int:
        return 2 + self.max.limit * (self.item.largest() + 1)


@dataclass(frozen=True)
class Dict:
    key: Bound
    value: Bound
    max: MaxEntries

    def apply(self, value: dict[str, Any] | None, place: Place) -> dict[str, Any] | None:
        if value is None:
            return None
        _check_entries(len(value), self.max, place)
        kept = list(value.items())[: self.max.limit]
        return {self.key.apply(key, place): self.value.apply(item, (*place, key[:64])) for key, item in kept}

    def largest(self) -> int:
        return 2 + self.max.limit * (self.key.largest() + self.value.largest() + 2)


@dataclass(frozen=True)
class Object:
    fields: dict[str, Bound]

    def apply(self, value: dict[str, Any] | None, place: Place) -> dict[str, Any] | None:
        if value is None:
            return None
        return {name: bound.apply(value[name], (*place, name)) for name, bound in self.fields.items()}

    def largest(self) -> int:
        return 2 + sum(len(name) + 4 + bound.largest() for name, bound in self.fields.items())


def _check_entries(count: int, most: MaxEntries, place: Place) -> None:
    if count > most.limit and not most.cut:
        raise BoundsError(place, f"{count} entries, at most {most.limit} are allowed")


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _json_bytes(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode()) - 2


def _cut(text: str, limit: int) -> str:
    """The longest beginning of a text that fits with the mark behind it."""
    room, end = limit - _json_bytes(_MARK), 0
    for character in text:
        room -= _json_bytes(character)
        if room < 0:
            break
        end += 1
    return text[:end] + _MARK
