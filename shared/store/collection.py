"""A collection of aggregates of one kind, over any database."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeGuard, TypeVar

from pydantic import BaseModel

from shared import telemetry, tracing
from shared.cloudevents import Envelope, EventData
from shared.store.cursor import Cursor, CursorError, Page
from shared.store.documents import Condition, Documents, Order, conditions, value_at
from shared.store.entity import Document, Storable, check_model, document_of, entity_of
from shared.store.indexes import Indexes

T = TypeVar("T", bound=Storable)
Decision = tuple[T, Sequence[EventData]]
Decide = Callable[[T], Decision[T] | None]
_ALIVE = Condition("tombstone", "eq", None)


class Collection(Generic[T]):
    """Aggregates of one kind. Each write is one document: state, revision and the events that follow from it."""

    def __init__(
        self,
        documents: Documents,
        model: type[T],
        service: str,
        unsent: asyncio.Event,
        indexes: Indexes | None = None,
        stamped: bool = False,
    ) -> None:
        check_model(model)
        self._indexes = indexes
        self._stamped = stamped
        self._documents = documents
        self._model = model
        self._service = service
        self._unsent = unsent

    async def get(self, entity_id: str) -> T | None:
        document = await self._documents.get(entity_id)
        return self._load(document) if _alive(document) else None

    async def create(self, entity: T, events: Sequence[EventData] = ()) -> bool:
        """Save a new aggregate; False, and nothing is written, when its id exists.

        One with a field `traceparent` gets the current trace context, unless it has one: the trace of all its events.
        """
        entity = _traced(entity)
        while True:
            if await self._documents.insert(self._document(entity, 0, self._envelopes(events, entity))):
                break
            known = await self._documents.get(entity.id)
            if _alive(known):
                return False
            if known is not None and await self._save(known, entity, events):
                break
        self._announce(events)
        return True

    async def put(self, entity: T) -> None:
        """Save an aggregate, replacing what is there: for one that has a single writer and no events."""
        await self._documents.put(self._document(entity, 0, []))

    async def change(self, entity_id: str, decide: Decide[T]) -> T | None:
        """Apply a decision of the domain to an aggregate, atomically; the changed aggregate, None if it is unknown.

        `decide` returns the changed aggregate and the events that follow, or None for no change. It is called again
        when another process was faster, so it must be pure.
        """
        while True:
            document = await self._documents.get(entity_id)
            if not _alive(document):
                return None
            entity = self._load(document)
            decision = decide(entity)
            if decision is None:
                return entity
            changed, events = decision
            if await self._save(document, changed, events):
                self._announce(events)
                return changed

    async def upsert(self, empty: T, decide: Decide[T]) -> T:
        """`change`, with `empty` in place of an aggregate that does not exist yet."""
        while True:
            if (changed := await self.change(empty.id, decide)) is not None:
                return changed
            if (decision := decide(empty)) is None:
                return empty
            if await self.create(*decision):
                return decision[0]

    async def delete(self, entity_id: str, events: Sequence[EventData] = ()) -> bool:
        """Remove an aggregate, with the events that follow; False when it is unknown."""
        while True:
            document = await self._documents.get(entity_id)
            if not _alive(document):
                return False
            if await self._remove(document, self._envelopes(events, self._load(document))):
                self._announce(events)
                return True

    async def remove_older(self, by: str, before: Any, limit: int, **fields: Any) -> int:
        """Remove aggregates with these fields whose field `by` is less than `before`: the oldest, at most `limit`.

        Returns how many. Those with events that wait to be published stay until they are published.
        """
        where, order = conditions({**fields, f"{by}__lt": before}), Order(by, descending=False)
        removed = 0
        for document in await self._search(where, order, limit, only=("revision", "unsent", by)):
            if not document["unsent"]:
                removed += await self._documents.remove(document["_id"], document["revision"])
        return removed

    async def find(
        self,
        *,
        newest_first: str | None = None,
        oldest_first: str | None = None,
        limit: int = 0,
        **fields: Any,
    ) -> list[T]:
        """Aggregates with these fields; `newest_first` or `oldest_first` names the field to sort by."""
        by = newest_first or oldest_first
        order = Order(by, descending=newest_first is not None) if by else None
        found = await self._search(conditions(fields), order, limit)
        return [self._load(document) for document in found]

    async def page(self, cursor: Cursor, *, oldest_first: bool = False, by: str = "at", **fields: Any) -> Page[T]:
        """A page of the aggregates with these fields, sorted by the field `by` and then by id.

        Raises `CursorError` when the cursor's entry is not in the list.
        """
        where = conditions(fields)
        after = None if cursor.after is None else (await self._position(cursor.after, where, by), cursor.after)
        order = Order(by, descending=not oldest_first, after=after)
        found = await self._search(where, order, cursor.limit + 1)
        return Page.of([self._load(document) for document in found], cursor.limit)

    async def _search(
        self, where: Sequence[Condition], order: Order | None, limit: int, only: Sequence[str] = ()
    ) -> list[Document]:
        if self._indexes is not None:
            self._indexes.check(where, order)
        return await self._documents.find([_ALIVE, *where], order=order, limit=limit, only=only)

    async def _position(self, entity_id: str, where: Sequence[Condition], by: str) -> Any:
        found = await self._search([*where, Condition("_id", "eq", entity_id)], None, 1)
        if not found:
            raise CursorError(f"'after' is not an entry of this list: {entity_id!r}", "after")
        return value_at(found[0], by)

    async def _save(self, known: Document, changed: T, events: Sequence[EventData]) -> bool:
        if changed.id != known["_id"]:
            raise ValueError(f"a change must keep the id {known['_id']!r}, got {changed.id!r}")
        revision = known["revision"]
        document = self._document(changed, revision + 1, [*known["outbox"], *self._envelopes(events, changed)])
        return await self._documents.replace(document, revision)

    async def _remove(self, known: Document, envelopes: list[Any]) -> bool:
        key, revision, outbox = known["_id"], known["revision"], [*known["outbox"], *envelopes]
        if not outbox:
            return await self._documents.remove(key, revision)
        return await self._documents.replace(tombstone(key, revision + 1, outbox), revision)

    def _document(self, entity: T, revision: int, outbox: list[Any]) -> Document:
        stamp = {"saved_at": time.time()} if self._stamped else {}
        return {**document_of(entity, revision, outbox), **stamp}

    def _load(self, document: Mapping[str, Any]) -> T:
        return entity_of(self._model, document)

    def _envelopes(self, events: Sequence[EventData], entity: T) -> list[Any]:
        return envelopes(events, self._service, getattr(entity, "traceparent", None))

    def _announce(self, events: Sequence[EventData]) -> None:
        if events:
            self._unsent.set()


def envelopes(events: Sequence[EventData], service: str, traceparent: str | None = None) -> list[Any]:
    """Events as they wait in a document; raises `BoundsError` for one that is too large."""
    if not events:
        return []
    trace = tracing.belonging_to(traceparent)
    return [Envelope.of(event, service, _of_event(event, trace)).model_dump(mode="json") for event in events]


def _of_event(event: EventData, traceparent: str) -> str:
    """Progress is too frequent for spans: its trace context says that it is not sampled."""
    return f"{traceparent[:-2]}00" if event.is_progress else traceparent


def _traced(entity: T) -> T:
    if isinstance(entity, BaseModel) and getattr(entity, "traceparent", "") is None:
        return entity.model_copy(update={"traceparent": telemetry.current_traceparent()})
    return entity


def tombstone(key: str, revision: int, outbox: list[Any]) -> Document:
    """A document without an aggregate, which is removed once its events are published."""
    return {"_id": key, "revision": revision, "tombstone": True, "outbox": outbox, "unsent": True}


def _alive(document: Document | None) -> TypeGuard[Document]:
    return document is not None and not document.get("tombstone")
