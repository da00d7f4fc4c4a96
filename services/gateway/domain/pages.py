"""Lists by cursor, as OpenAI gives them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.gateway.domain.refusals import BadRequest

T = TypeVar("T")


@dataclass(frozen=True)
class Cursor:
    """Where a page begins (after the entry with this id) and how many entries it has at most."""

    after: str | None
    limit: int


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some entries of a list and whether there are more behind them."""

    items: Sequence[T]
    has_more: bool

    @classmethod
    def of(cls, items: Sequence[T], limit: int) -> "Page[T]":
        """The page in the front of a list from which one entry more than `limit` was read."""
        return cls(items[:limit], len(items) > limit)


def cursor(after: str | None, limit: int | None, *, default: int, largest: int) -> Cursor:
    """A caller's wish; raises `BadRequest` for a limit out of bounds."""
    wanted = default if limit is None else limit
    if not 1 <= wanted <= largest:
        raise BadRequest(f"'limit' must be between 1 and {largest}, got {wanted}", param="limit")
    return Cursor(after, wanted)
