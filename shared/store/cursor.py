"""Pages of a list by cursor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class CursorError(ValueError):
    """A cursor that the list does not have; `param` is the query parameter that is wrong: `after` or `limit`."""

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True)
class Cursor:
    """Where a page begins (behind the entry with the id `after`) and how many entries it has at most."""

    after: str | None
    limit: int

    @classmethod
    def of(cls, after: str | None, limit: int | None, *, default: int, largest: int) -> Self:
        """The cursor of a request; raises `CursorError` when `limit` is out of bounds."""
        size = default if limit is None else limit
        if not 1 <= size <= largest:
            raise CursorError(f"'limit' must be between 1 and {largest}, got {size}", "limit")
        return cls(after, size)


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some entries of a list, and whether more entries follow them."""

    items: Sequence[T]
    has_more: bool

    @classmethod
    def of(cls, items: Sequence[T], limit: int) -> "Page[T]":
        """The first `limit` of `items`, of which one more was read where there is one."""
        return cls(items[:limit], len(items) > limit)
