"""What a database must offer so that collections can be kept in it, and the conditions of a search."""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic_core import to_jsonable_python

from shared.store.entity import Document

OPERATORS = ("lt", "lte", "gt", "gte", "in", "all")


@dataclass(frozen=True)
class Condition:
    """A condition on one field; `path` has dots, `operator` is `eq` or one of `OPERATORS`.

    `eq` compares a list with a list as a whole; for its entries use `all`, because databases differ on `eq` with one.
    """

    path: str
    operator: str
    value: Any


@dataclass(frozen=True)
class Order:
    """Documents by a field and then by id; `after` is the field and the id of the last document before them."""

    field: str
    descending: bool
    after: tuple[Any, str] | None = None


class Documents(Protocol):
    """One collection of JSON documents, each with `_id` and `revision`."""

    async def get(self, key: str, only: Sequence[str] = ()) -> Document | None:
        """A document, or `only` these fields of it."""
        ...

    async def insert(self, document: Document) -> bool:
        """Add a document; False when its id exists."""
        ...

    async def insert_missing(self, documents: Sequence[Document]) -> None:
        """Add documents in one access; those whose id exists stay as they are."""
        ...

    async def put(self, document: Document) -> None:
        """Add or replace a document."""
        ...

    async def replace(self, document: Document, revision: int) -> bool:
        """Replace a document that still has this revision."""
        ...

    async def update(self, key: str, revision: int, fields: Mapping[str, Any]) -> bool:
        """Set fields of a document that still has this revision."""
        ...

    async def remove(self, key: str, revision: int) -> bool:
        """Remove a document that still has this revision."""
        ...

    async def remove_many(self, keys: Sequence[str]) -> None:
        """Remove documents, whatever their revision."""
        ...

    async def find(
        self, conditions: Sequence[Condition], *, order: Order | None = None, limit: int = 0, only: Sequence[str] = ()
    ) -> list[Document]:
        """The documents that meet all conditions; a limit of 0 means no limit."""
        ...


def ordered(documents: list[Document], order: Order) -> list[Document]:
    """Documents in an order, without those up to `order.after`."""

    def key(value: Any, document_id: str) -> tuple[bool, Any, str]:
        # As in MongoDB, a missing value comes before all others.
        return (value is not None, value, document_id)

    def key_of(document: Document) -> tuple[bool, Any, str]:
        return key(value_at(document, order.field), document["_id"])

    documents = sorted(documents, key=key_of, reverse=order.descending)
    if order.after is None:
        return documents
    last = key(*order.after)
    beyond = operator.lt if order.descending else operator.gt
    return [document for document in documents if beyond(key_of(document), last)]


def value_at(document: Any, path: str) -> Any:
    """The value of a field, None where it is missing; as in the laptop's database, not through lists."""
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def conditions(fields: Mapping[str, Any]) -> list[Condition]:
    """Conditions by the names of keyword arguments: `spec__kind="x"`, `at__gte=5`."""
    return [_condition(name.split("__"), to_jsonable_python(value)) for name, value in fields.items()]


def _condition(parts: list[str], value: Any) -> Condition:
    operator = parts.pop() if len(parts) > 1 and parts[-1] in OPERATORS else "eq"
    return Condition("_id" if parts == ["id"] else ".".join(parts), operator, value)
