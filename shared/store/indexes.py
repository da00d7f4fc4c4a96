"""The indexes of a collection, and whether they serve a query."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from shared.store.documents import Condition, Order

Index = str | tuple[str, ...]
"""A field, or several; in a search, those tested for equality come first, then the range or the order."""


class UnindexedQueryError(LookupError):
    """A query that no declared index serves, so that its time would grow with the collection."""


@dataclass(frozen=True)
class Indexes:
    """The declared indexes of one collection.

    `few` allows queries that read the whole collection; it is for collections of at most some hundred documents.
    """

    collection: str
    declared: Sequence[Index]
    few: bool = False

    enforced: ClassVar[bool] = False
    """Whether a query without an index is an error; only the tests set it."""

    @property
    def keys(self) -> list[tuple[str, ...]]:
        """The fields of each index."""
        return [("unsent",), *map(_fields, self.declared)]

    def check(self, conditions: Sequence[Condition], order: Order | None) -> None:
        """Raise `UnindexedQueryError` in tests."""
        if self.enforced and not self.serve(conditions, order):
            asked = [f"{each.path} {each.operator}" for each in conditions]
            sort = f", sorted by {order.field}" if order else ""
            raise UnindexedQueryError(
                f"no index of {self.collection!r} serves a search by {asked}{sort}; declare one where the collection "
                f"is made. Declared: {list(self.declared)}"
            )

    def serve(self, conditions: Sequence[Condition], order: Order | None) -> bool:
        """Whether the time of a query is bounded by what it finds, not by the size of the collection."""
        # To read everything is never served by an index; a test lists where services do it.
        if self.few or not (conditions or order):
            return True
        if any(each.path == "_id" and each.operator in ("eq", "in") for each in conditions):
            return True
        equal = {each.path for each in conditions if each.operator in ("eq", "in")}
        lists = {each.path for each in conditions if each.operator == "all"}
        if lists:
            return all(self._has({name}, order.field if order else None) for name in lists)
        ranges = {each.path for each in conditions} - equal
        last = order.field if order else next(iter(ranges), None)
        if not ranges <= {last} or (not equal and last is None):
            return False
        # Several independent filters: the database takes the index of one and tests the others.
        return self._has(equal, last) or bool(equal and all(self._has({name}, last) for name in equal))

    def _has(self, equal: set[str], last: str | None) -> bool:
        count = len(equal)
        every = [_fields(index) for index in self.declared]
        return any(set(each[:count]) == equal and last in (None, *each[count : count + 1]) for each in every)


def _fields(index: Index) -> tuple[str, ...]:
    return (index,) if isinstance(index, str) else index
