"""Collections in MongoDB by Motor; the only file that imports the driver."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ASCENDING, DESCENDING
from pymongo.errors import BulkWriteError, ConnectionFailure, DuplicateKeyError, ExecutionTimeout

from shared.store.documents import Condition, Documents, Order, ordered
from shared.store.entity import Document
from shared.store.outgoing import BaseStore

_DUPLICATE_KEY = 11000
StoreUnreachable = (ConnectionFailure, ExecutionTimeout)


class Store(BaseStore):
    """One service's database in MongoDB."""

    def __init__(self, url: str, database: str, service: str) -> None:
        super().__init__(service)
        # The laptop's database has no retryable writes; each of ours can be repeated by its caller.
        self._client: Any = AsyncIOMotorClient(url, serverSelectionTimeoutMS=5000, retryWrites=False, tz_aware=True)
        self.database: Any = self._client[database]

    def documents(self, name: str) -> Documents:
        return MongoDocuments(self.database[name])

    async def check(self) -> None:
        await self._client.admin.command("ping")

    async def prepare(self) -> None:
        # All lists are sorted by `_id` in the end. The laptop's database cannot index `_id` with other fields, and
        # sorts equal values without an index; it does not name its topology, as MongoDB does.
        hello = await self._client.admin.command("hello")
        last = [("_id", ASCENDING)] if "topologyVersion" in hello else []
        for name, indexes in self._indexes.items():
            for fields in indexes.keys:
                await self.database[name].create_index([*((field, ASCENDING) for field in fields), *last])
        await self.database["inbox"].create_index([("at", ASCENDING)])

    def close(self) -> None:
        self._client.close()


class MongoDocuments:
    """Documents in a collection of MongoDB."""

    def __init__(self, collection: Any) -> None:
        self._collection = collection

    async def get(self, key: str, only: Sequence[str] = ()) -> Document | None:
        return await self._collection.find_one({"_id": key}, _projection(only))

    async def insert(self, document: Document) -> bool:
        try:
            await self._collection.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    async def insert_missing(self, documents: Sequence[Document]) -> None:
        try:
            await self._collection.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            errors: list[dict[str, Any]] = error.details["writeErrors"]
            if error.details.get("writeConcernErrors") or any(each["code"] != _DUPLICATE_KEY for each in errors):
                raise

    async def put(self, document: Document) -> None:
        # The document names its id: the laptop's database does not take it from the filter when it inserts.
        await self._collection.replace_one({"_id": document["_id"]}, document, upsert=True)

    async def replace(self, document: Document, revision: int) -> bool:
        result = await self._collection.replace_one({"_id": document["_id"], "revision": revision}, document)
        return bool(result.matched_count)

    async def update(self, key: str, revision: int, fields: Mapping[str, Any]) -> bool:
        result = await self._collection.update_one({"_id": key, "revision": revision}, {"$set": dict(fields)})
        return bool(result.matched_count)

    async def remove(self, key: str, revision: int) -> bool:
        result = await self._collection.delete_one({"_id": key, "revision": revision})
        return bool(result.deleted_count)

    async def remove_many(self, keys: Sequence[str]) -> None:
        await self._collection.delete_many({"_id": {"$in": list(keys)}})

    async def find(
        self, conditions: Sequence[Condition], *, order: Order | None = None, limit: int = 0, only: Sequence[str] = ()
    ) -> list[Document]:
        searches = _without_lists(conditions)
        found = await asyncio.gather(*(self._search(each, order, limit, only) for each in searches))
        if len(found) == 1:
            return found[0]
        merged = [document for documents in found for document in documents]
        return (merged if order is None else ordered(merged, order))[: limit or None]

    async def _search(
        self, conditions: Sequence[Condition], order: Order | None, limit: int, only: Sequence[str]
    ) -> list[Document]:
        where = _filter(conditions, order)
        if order is None or order.after is None:
            return await self._read(where, order, limit, only)
        # One more than wanted: the entry after which the page begins is among them.
        size = limit + 1 if limit else 0
        while True:
            found = await self._read(where, order, size, only)
            beyond = ordered(found, order)
            if not size or len(beyond) >= limit or len(found) < size:
                return beyond[: limit or None]
            # Many entries have the same value as the one after which the page begins.
            size *= 4

    async def _read(
        self, where: dict[str, Any], order: Order | None, limit: int, only: Sequence[str]
    ) -> list[Document]:
        cursor = self._collection.find(where, _projection(only))
        if order is not None:
            direction = DESCENDING if order.descending else ASCENDING
            cursor = cursor.sort([(order.field, direction), ("_id", direction)])
        return [document async for document in cursor.limit(limit)]


def _projection(only: Sequence[str]) -> dict[str, int] | None:
    return dict.fromkeys(only, 1) or None


def _without_lists(conditions: Sequence[Condition]) -> list[list[Condition]]:
    """One search for each value of `in`: for a list of values the laptop's database reads the whole collection."""
    lists = [each for each in conditions if each.operator == "in" and each.path != "_id"]
    others = [each for each in conditions if each not in lists]
    choices = [[Condition(each.path, "eq", value) for value in dict.fromkeys(each.value)] for each in lists]
    return [[*others, *chosen] for chosen in product(*choices)]


def _filter(conditions: Sequence[Condition], order: Order | None) -> dict[str, Any]:
    """Without `$or`, for which the laptop's database reads the whole collection."""
    where: dict[str, Any] = {}
    for condition in conditions:
        # Always with an operator: the laptop's database uses an index for $eq, not for a bare value.
        where.setdefault(condition.path, {})[f"${condition.operator}"] = condition.value
    if order is not None and order.after is not None:
        value, descending = order.after[0], order.descending
        if value is not None:
            where.setdefault(order.field, {})["$lte" if descending else "$gte"] = value
        elif descending:
            where.setdefault(order.field, {})["$eq"] = None
    return where
