"""Collections in MongoDB by Motor; the only file that imports the driver."""

from collections.abc import Mapping, Sequence
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ASCENDING, DESCENDING
from pymongo.errors import BulkWriteError, ConnectionFailure, DuplicateKeyError, ExecutionTimeout

from shared.store.documents import Condition, Documents, Order
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
        for name, indexes in self._indexes.items():
            for field in ("unsent", *indexes):
                await self.database[name].create_index([(field, ASCENDING)])

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

    async def find(
        self, conditions: Sequence[Condition], *, order: Order | None = None, limit: int = 0, only: Sequence[str] = ()
    ) -> list[Document]:
        cursor = self._collection.find(_filter(conditions, order), _projection(only))
        if order is not None:
            direction = DESCENDING if order.descending else ASCENDING
            cursor = cursor.sort([(order.field, direction), ("_id", direction)])
        return [document async for document in cursor.limit(limit)]


def _projection(only: Sequence[str]) -> dict[str, int] | None:
    return dict.fromkeys(only, 1) or None


def _filter(conditions: Sequence[Condition], order: Order | None) -> dict[str, Any]:
    where: dict[str, Any] = {}
    for condition in conditions:
        if condition.operator == "eq" and not isinstance(condition.value, list):
            # The laptop's database finds an entry of a list only without $eq, and a whole list only with it.
            where[condition.path] = condition.value
        else:
            where.setdefault(condition.path, {})[f"${condition.operator}"] = condition.value
    if order is not None and order.after is not None:
        beyond = "$lt" if order.descending else "$gt"
        value, key = order.after
        where["$or"] = [{order.field: {beyond: value}}, {order.field: value, "_id": {beyond: key}}]
    return where
