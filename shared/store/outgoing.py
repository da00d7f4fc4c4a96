"""What both databases share: the events that wait to be published, and those that were handled."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar
from uuid import uuid4

from shared.cloudevents import Envelope, EventData
from shared.store.collection import Collection, envelopes, tombstone
from shared.store.documents import Condition, Documents, Order
from shared.store.entity import Storable
from shared.store.indexes import Index, Indexes

T = TypeVar("T", bound=Storable)
_EVENTS_ONLY = "outbox"
_INBOX = "inbox"
_UNSENT = Condition("unsent", "eq", True)


class BaseStore(ABC):
    """One service's database."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.unsent = asyncio.Event()
        """Set when an aggregate was saved with events."""
        self._indexes = {_EVENTS_ONLY: Indexes(_EVENTS_ONLY, ())}

    @abstractmethod
    def documents(self, name: str) -> Documents:
        """The documents of a collection."""

    @abstractmethod
    async def check(self) -> None:
        """Raise an error when the database does not answer."""

    @abstractmethod
    async def prepare(self) -> None:
        """Create the indexes; safe to repeat."""

    @abstractmethod
    def close(self) -> None: ...

    def collection(
        self,
        name: str,
        model: type[T],
        indexes: Sequence[Index] | None = None,
        *,
        few: bool = False,
        stamped: bool = False,
    ) -> Collection[T]:
        """A collection whose events the outbox relays.

        `indexes` serve its searches; they may be left out in tests. `few` is for at most some hundred documents, which
        searches may read completely. A `stamped` collection can be searched by `saved_at`, the time of the last change
        by the clock of the process that made it, in Unix seconds.
        """
        self._indexes[name] = Indexes(name, indexes or (), few)
        checked = self._indexes[name] if indexes is not None or few else None
        return Collection(self.documents(name), model, self.service, self.unsent, checked, stamped)

    async def emit(self, events: Sequence[EventData]) -> None:
        """Save events that belong to no aggregate; the outbox publishes them like all others."""
        await self.documents(_EVENTS_ONLY).insert(tombstone(uuid4().hex, 0, envelopes(events, self.service)))
        self.unsent.set()

    async def unsent_events(self) -> list[tuple[str, str, list[Envelope]]]:
        """Collection, aggregate id and waiting events, of every aggregate that has some."""
        waiting: list[tuple[str, str, list[Envelope]]] = []
        for name in self._indexes:
            for document in await self.documents(name).find([_UNSENT], only=("outbox",)):
                events = [Envelope.model_validate(event) for event in document["outbox"]]
                waiting.append((name, document["_id"], events))
        return waiting

    async def mark_sent(self, collection: str, entity_id: str, event_ids: set[str]) -> None:
        """Remove published events from an aggregate's outbox."""
        documents = self.documents(collection)
        while (document := await documents.get(entity_id, only=("outbox", "revision", "tombstone"))) is not None:
            left = [event for event in document["outbox"] if event["id"] not in event_ids]
            revision = document["revision"]
            if not left and document.get("tombstone"):
                done = await documents.remove(entity_id, revision)
            else:
                # Compare and swap, not $pull: the laptop's database empties the array on $pull with $in.
                fields = {"outbox": left, "unsent": bool(left), "revision": revision + 1}
                done = await documents.update(entity_id, revision, fields)
            if done:
                return

    async def park(self, envelope: Envelope, error: str) -> None:
        """Keep an event that can never be published, for operators."""
        event = envelope.model_dump(mode="json")
        await self.documents("parked").put(
            {"_id": envelope.id, "at": datetime.now(UTC), "error": error, "event": event}
        )

    async def seen(self, consumer: str, event_ids: Sequence[str]) -> set[str]:
        """Those of the events with which a consumer has finished."""
        by_key = {f"{consumer}/{event_id}": event_id for event_id in event_ids}
        found = await self.documents(_INBOX).find([Condition("_id", "in", list(by_key))], only=("_id",))
        return {by_key[document["_id"]] for document in found}

    async def mark_seen(self, consumer: str, event_ids: Sequence[str]) -> None:
        """Record that a consumer has finished with these events."""
        now = time.time()
        marks = [{"_id": f"{consumer}/{event_id}", "at": now} for event_id in event_ids]
        await self.documents(_INBOX).insert_missing(marks)

    async def forget_seen(self, before: float, limit: int) -> int:
        """Forget events that were handled before this time in Unix seconds, at most `limit`; returns how many."""
        oldest = Order("at", descending=False)
        inbox, old = self.documents(_INBOX), [Condition("at", "lt", before)]
        found = await inbox.find(old, order=oldest, limit=limit, only=("at",))
        if found:
            await inbox.remove_many([document["_id"] for document in found])
        return len(found)
