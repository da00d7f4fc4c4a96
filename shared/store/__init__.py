"""Typed collections of aggregates; each is saved in one atomic write together with its events.

How to use:

1. Any pydantic model with an `id: str` (a field, or a property made of other fields) can be stored. It needs no base
   class, so a domain object is stored as it is. Its field names must not be those of `RESERVED`.
2. `app.py` makes `store = Store(url, database, service)` and
   `store.collection("suites", Suite, indexes=[("owner", "at")])`, with an index for each search; a unit test makes
   `MemoryStore(service)`, which behaves the same. Use cases take a `Collection[Suite]` as a field.
3. `create(suite, [SuitePublished(...)])` is False when the id exists. `change(id, decide)` and `upsert(empty, decide)`
   call the pure function `decide(suite) -> (changed, events) | None` until no other process was faster.
4. `find(owner="key_1", spec__kind="exam", at__gte=5, newest_first="at", limit=10)`: two underscores reach a nested
   field; a last part `lt`, `lte`, `gt`, `gte`, `in` or `all` compares instead of testing equality.
5. `page(Cursor.of(after, limit, default=20, largest=100), owner="key_1")` is a page by the field `at`; it raises
   `CursorError` (status 400 by HTTP) when `after` is not an entry of the list.
6. `store.emit([event])` saves an event that belongs to no aggregate.
7. `delete(id, [SuiteDeleted(...)])` removes the aggregate; its last events are still published.
8. `shared/retention.py` removes old documents.
"""

from shared.store.collection import Collection, Decision
from shared.store.cursor import Cursor, CursorError, Page
from shared.store.entity import RESERVED, Entity, Storable
from shared.store.indexes import Index, UnindexedQueryError
from shared.store.memory import MemoryStore
from shared.store.mongo import Store, StoreUnreachable
from shared.store.outgoing import BaseStore

__all__ = [
    "RESERVED",
    "BaseStore",
    "Collection",
    "Cursor",
    "CursorError",
    "Decision",
    "Entity",
    "Index",
    "MemoryStore",
    "Page",
    "Storable",
    "Store",
    "StoreUnreachable",
    "UnindexedQueryError",
]
