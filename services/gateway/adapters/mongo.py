"""The gateway's views in MongoDB."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic

from services.gateway.domain.pages import Cursor, Page
from services.gateway.domain.refusals import BadRequest
from services.gateway.ports import Decide, DeliveryView, V
from shared.cloudevents import EventData
from shared.store import Collection


@dataclass(frozen=True)
class MongoViews(Generic[V]):
    """One document a view, with its time in the field `at`."""

    documents: Collection[V]

    async def get(self, entity_id: str) -> V | None:
        return await self.documents.get(entity_id)

    async def create(self, entity: V, events: Sequence[EventData] = ()) -> bool:
        return await self.documents.create(entity, events)

    async def change(self, entity_id: str, decide: Decide[V]) -> V | None:
        return await self.documents.change(entity_id, decide)

    async def settle(self, empty: V, decide: Decide[V]) -> V:
        changed = await self.documents.change(empty.id, decide)
        if changed is None:
            await self.documents.create(empty)
            changed = await self.documents.change(empty.id, decide)
        assert changed is not None
        return changed

    async def where(self, **fields: Any) -> list[V]:
        return await self.documents.find(_nested(fields))

    async def page(
        self, cursor: Cursor, *, oldest_first: bool = False, labelled: Sequence[str] = (), **fields: Any
    ) -> Page[V]:
        where = _nested(fields)
        if labelled:
            where["labels"] = {"$all": list(labelled)}
        if cursor.after is not None:
            last: Any = await self.documents.get(cursor.after)
            if last is None or any(getattr(last, name, value) != value for name, value in fields.items()):
                raise BadRequest(f"'after' names no entry of this list: {cursor.after!r}", param="after")
            beyond = "$gt" if oldest_first else "$lt"
            where["$or"] = [{"at": {beyond: last.at}}, {"at": last.at, "_id": {beyond: last.id}}]
        direction = {"oldest_first" if oldest_first else "newest_first": "at"}
        found = await self.documents.find(where, limit=cursor.limit + 1, **direction)
        return Page.of(found, cursor.limit)


@dataclass(frozen=True)
class MongoDeliveries(MongoViews[DeliveryView]):
    """Calls of endpoints, found by when they are due."""

    async def due(self, now: float, limit: int) -> list[DeliveryView]:
        where = {"status": "pending", "due_at": {"$lte": now}}
        return await self.documents.find(where, oldest_first="due_at", limit=limit)


def _nested(fields: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "."): value for name, value in fields.items()}
