"""Ten thousand documents that differ in an id and a few fields, without a model for each."""

from collections.abc import Callable
from typing import Any

from shared.store import MemoryStore
from shared.store.entity import document_of
from shared.store.memory import MemoryDocuments

MANY = 10_000


def add_many(
    store: MemoryStore, name: str, like: Any, changes: Callable[[int], dict[str, Any]], many: int = MANY
) -> None:
    """`changes` gives the fields of the document with that number; `_id` among them."""
    documents = store.documents(name)
    assert isinstance(documents, MemoryDocuments)
    model = document_of(like, 0, [])
    for number in range(many):
        document = {**model, **changes(number)}
        documents._by_id[document["_id"]] = document
