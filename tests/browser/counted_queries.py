"""Counts the queries of stores in memory, and the documents that they read."""

from dataclasses import dataclass
from typing import Any

import pytest

from shared.store.memory import MemoryDocuments


@dataclass
class Counted:
    """Queries of the database, and the documents that they read."""

    queries: int = 0
    documents: int = 0


def count_queries(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """Counts from now on, until the test ends."""
    counted = Counted()
    get, find = MemoryDocuments.get, MemoryDocuments.find

    async def counting_get(self: MemoryDocuments, *args: Any, **options: Any) -> Any:
        counted.queries += 1
        return await get(self, *args, **options)

    async def counting_find(self: MemoryDocuments, *args: Any, **options: Any) -> Any:
        counted.queries += 1
        found = await find(self, *args, **options)
        counted.documents += len(found)
        return found

    monkeypatch.setattr(MemoryDocuments, "get", counting_get)
    monkeypatch.setattr(MemoryDocuments, "find", counting_find)
    return counted
