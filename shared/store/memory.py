"""Collections in memory, for tests: the same behaviour as MongoDB, without a server."""

import operator
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from shared.store.documents import Condition, Documents, Order, ordered, value_at
from shared.store.entity import Document
from shared.store.outgoing import BaseStore


class MemoryStore(BaseStore):
    """One service's database in memory."""

    def __init__(self, service: str) -> None:
        super().__init__(service)
        self._documents: dict[str, MemoryDocuments] = {}

    def documents(self, name: str) -> Documents:
        return self._documents.setdefault(name, MemoryDocuments())

    async def check(self) -> None:
        """Memory is always there."""

    async def prepare(self) -> None:
        """Memory needs no indexes."""

    def close(self) -> None:
        self._documents.clear()


class MemoryDocuments:
    """Documents in a dictionary; callers get and give copies."""

    def __init__(self) -> None:
        self._by_id: dict[str, Document] = {}

    async def get(self, key: str, only: Sequence[str] = ()) -> Document | None:
        document = self._by_id.get(key)
        return None if document is None else _copy(document, only)

    async def insert(self, document: Document) -> bool:
        if document["_id"] in self._by_id:
            return False
        await self.put(document)
        return True

    async def insert_missing(self, documents: Sequence[Document]) -> None:
        for document in documents:
            await self.insert(document)

    async def put(self, document: Document) -> None:
        self._by_id[document["_id"]] = deepcopy(document)

    async def replace(self, document: Document, revision: int) -> bool:
        if not self._is_at(document["_id"], revision):
            return False
        await self.put(document)
        return True

    async def update(self, key: str, revision: int, fields: Mapping[str, Any]) -> bool:
        if not self._is_at(key, revision):
            return False
        self._by_id[key].update(deepcopy(dict(fields)))
        return True

    async def remove(self, key: str, revision: int) -> bool:
        if not self._is_at(key, revision):
            return False
        del self._by_id[key]
        return True

    async def remove_many(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._by_id.pop(key, None)

    async def find(
        self, conditions: Sequence[Condition], *, order: Order | None = None, limit: int = 0, only: Sequence[str] = ()
    ) -> list[Document]:
        found = [document for document in self._by_id.values() if all(_meets(document, c) for c in conditions)]
        if order is not None:
            found = ordered(found, order)
        return [_copy(document, only) for document in found[: limit or None]]

    def _is_at(self, key: str, revision: int) -> bool:
        return key in self._by_id and self._by_id[key]["revision"] == revision


def _copy(document: Document, only: Sequence[str]) -> Document:
    return deepcopy({name: value for name, value in document.items() if not only or name in ("_id", *only)})


def _meets(document: Document, condition: Condition) -> bool:
    try:
        return _OPERATORS[condition.operator](value_at(document, condition.path), condition.value)
    except TypeError:
        # As in MongoDB, values of different types do not compare.
        return False


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "in": lambda value, wanted: value in wanted,
    "all": lambda value, wanted: isinstance(value, list) and all(one in value for one in wanted),
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}
