"""MongoDB by Motor: typed collections of aggregates, each saved in one atomic write together with its events.

This is the only file that imports the driver.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from motor.motor_asyncio import AsyncIOMotorClient
from pydantic import BaseModel
from pymongo import ASCENDING
from pymongo.errors import ConnectionFailure, DuplicateKeyError, ExecutionTimeout

from shared import telemetry
from shared.cloudevents import Envelope, EventData

StoreUnreachable = (ConnectionFailure, ExecutionTimeout)


class Entity(BaseModel):
    """The base of an aggregate that is kept in a collection."""

    id: str


T = TypeVar("T", bound=Entity)
Decision = tuple[T, Sequence[EventData]]


class Store:
    """One service's database."""

    def __init__(self, url: str, database: str, service: str) -> None:
        # A laptop's stand-in speaks no retryable writes; each of ours is safe to repeat by itself.
        self._client: Any = AsyncIOMotorClient(url, serverSelectionTimeoutMS=5000, retryWrites=False, tz_aware=True)
        self.database: Any = self._client[database]
        self.service = service
        self.unsent = asyncio.Event()
        self._collections: dict[str, Sequence[str]] = {}

    def collection(self, name: str, model: type[T], indexes: Sequence[str] = ()) -> "Collection[T]":
        """A collection of aggregates whose events the outbox relays; `indexes` are fields that it is searched by."""
        self._collections[name] = indexes
        return Collection(self, name, model)

    async def check(self) -> None:
        """Raise an error when the database does not answer."""
        await self._client.admin.command("ping")

    async def prepare(self) -> None:
        """Create what indexes the outbox and the inbox need; safe to repeat."""
        for name, indexes in self._collections.items():
            for field in ("unsent", *indexes):
                await self.database[name].create_index([(field, ASCENDING)])

    async def unsent_events(self) -> list[tuple[str, str, list[Envelope]]]:
        """Collection, aggregate id and waiting events, of every aggregate that has some."""
        waiting: list[tuple[str, str, list[Envelope]]] = []
        for name in self._collections:
            async for document in self.database[name].find({"unsent": True}, {"outbox": 1}):
                events = [Envelope.model_validate(event) for event in document["outbox"]]
                waiting.append((name, document["_id"], events))
        return waiting

    async def mark_sent(self, collection: str, entity_id: str, event_ids: set[str]) -> None:
        """Take published events out of an aggregate's outbox."""
        while True:
            document = await self.database[collection].find_one({"_id": entity_id}, {"outbox": 1, "revision": 1})
            if document is None:
                return
            left = [event for event in document["outbox"] if event["id"] not in event_ids]
            revision = document["revision"]
            # Compare and swap, not $pull: the laptop's stand-in empties the array on $pull with $in.
            result = await self.database[collection].update_one(
                {"_id": entity_id, "revision": revision},
                {"$set": {"outbox": left, "unsent": bool(left), "revision": revision + 1}},
            )
            if result.matched_count:
                return

    async def seen(self, consumer: str, event_id: str) -> bool:
        """Whether a consumer has finished with an event."""
        return await self.database["inbox"].find_one({"_id": f"{consumer}/{event_id}"}) is not None

    async def mark_seen(self, consumer: str, event_id: str) -> None:
        """Note that a consumer has finished with an event."""
        await self.database["inbox"].update_one(
            {"_id": f"{consumer}/{event_id}"}, {"$set": {"at": datetime.now(UTC)}}, upsert=True
        )

    def close(self) -> None:
        self._client.close()


class Collection(Generic[T]):
    """Aggregates of one kind. Each write is one document: state, revision and the events that follow from it."""

    def __init__(self, store: Store, name: str, model: type[T]) -> None:
        self._store = store
        self._documents: Any = store.database[name]
        self._model = model

    async def get(self, entity_id: str) -> T | None:
        document = await self._documents.find_one({"_id": entity_id})
        return None if document is None else self._load(document)

    async def create(self, entity: T, events: Sequence[EventData] = ()) -> bool:
        """Save a new aggregate; False, and nothing is written, when its id is known."""
        document = {"_id": entity.id, "revision": 0, **_fields(entity), **self._outbox([], events)}
        try:
            await self._documents.insert_one(document)
        except DuplicateKeyError:
            return False
        self._announce(events)
        return True

    async def put(self, entity: T) -> None:
        """Save an aggregate as it is now, whatever was there: for one that has a single writer and tells no events."""
        # With its id: the laptop's stand-in takes none from the filter when it inserts.
        document = {"_id": entity.id, "revision": 0, **_fields(entity), **self._outbox([], [])}
        await self._documents.replace_one({"_id": entity.id}, document, upsert=True)

    async def change(self, entity_id: str, decide: Callable[[T], Decision[T] | None]) -> T | None:
        """Apply a decision of the domain to an aggregate, atomically; returns what it then is, None if it is unknown.

        `decide` gets the aggregate and returns the changed one with the events that follow, or None for no change.
        It is asked again when another process was faster, so it must be pure.
        """
        while True:
            document = await self._documents.find_one({"_id": entity_id})
            if document is None:
                return None
            entity = self._load(document)
            decision = decide(entity)
            if decision is None:
                return entity
            changed, events = decision
            revision = document["revision"]
            result = await self._documents.replace_one(
                {"_id": entity_id, "revision": revision},
                {"revision": revision + 1, **_fields(changed), **self._outbox(document["outbox"], events)},
            )
            if result.matched_count:
                self._announce(events)
                return changed

    async def find(
        self,
        where: Mapping[str, Any] | None = None,
        *,
        newest_first: str | None = None,
        oldest_first: str | None = None,
        limit: int = 0,
    ) -> list[T]:
        """Aggregates whose fields equal `where`; `newest_first` or `oldest_first` names the field to sort by."""
        cursor = self._documents.find(dict(where or {}))
        if field := newest_first or oldest_first:
            direction = -1 if newest_first else 1
            cursor = cursor.sort([(field, direction), ("_id", direction)])
        return [self._load(document) async for document in cursor.limit(limit)]

    def _load(self, document: dict[str, Any]) -> T:
        return self._model.model_validate({**document, "id": document["_id"]})

    def _outbox(self, waiting: list[Any], events: Sequence[EventData]) -> dict[str, Any]:
        traceparent = telemetry.current_traceparent()
        new = [Envelope.of(event, self._store.service, traceparent).model_dump(mode="json") for event in events]
        outbox = [*waiting, *new]
        return {"outbox": outbox, "unsent": bool(outbox)}

    def _announce(self, events: Sequence[EventData]) -> None:
        if events:
            self._store.unsent.set()


def _fields(entity: Entity) -> dict[str, Any]:
    return entity.model_dump(mode="json", exclude={"id"})
