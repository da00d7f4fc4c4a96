"""The gateway's views in MongoDB."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic

from services.gateway.domain.pages import Cursor, Page
from services.gateway.domain.refusals import BadRequest
from services.gateway.ports import Decide, DeliveryView, V
from shared.cloudevents import EventData
from shared.store import Collection, CursorError
from shared.store import Cursor as StoreCursor


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
        return await self.documents.upsert(empty, decide)

    async def where(self, **fields: Any) -> list[V]:
        return await self.documents.find(**fields)

    async def page(
        self, cursor: Cursor, *, oldest_first: bool = False, labelled: Sequence[str] = (), **fields: Any
    ) -> Page[V]:
        where = {**fields, **({"labels__all": list(labelled)} if labelled else {})}
        try:
            found = await self.documents.page(
                StoreCursor(cursor.after, cursor.limit), oldest_first=oldest_first, **where
            )
        except CursorError as error:
            raise BadRequest(str(error), param=error.param) from None
        return Page(found.items, found.has_more)


@dataclass(frozen=True)
class MongoDeliveries(MongoViews[DeliveryView]):
    """Calls of endpoints, found by when they are due."""

    async def due(self, now: float, limit: int) -> list[DeliveryView]:
        return await self.documents.find(status="pending", due_at__lte=now, oldest_first="due_at", limit=limit)
