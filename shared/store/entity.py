"""What can be stored, and the document that it is stored as."""

from collections.abc import Mapping
from typing import Any, Protocol, Self, TypeVar

from pydantic import BaseModel

RESERVED = frozenset({"_id", "revision", "outbox", "unsent", "tombstone", "saved_at"})
"""Fields of a document that belong to the store."""

Document = dict[str, Any]


class Storable(Protocol):
    """A pydantic model with an id."""

    @property
    def id(self) -> str: ...

    def model_dump(self, *, mode: str = ..., exclude: Any = ...) -> dict[str, Any]: ...

    @classmethod
    def model_validate(cls, obj: Any) -> Self: ...


class Entity(BaseModel):
    """A base for aggregates that have no model of the domain."""

    id: str


T = TypeVar("T", bound=Storable)


def check_model(model: type[Any]) -> None:
    """Raise `TypeError` when a model has a field that the store needs for itself."""
    if clash := RESERVED & model.model_fields.keys():
        raise TypeError(f"{model.__name__} cannot be stored: rename its field {', '.join(sorted(clash))}")


def document_of(entity: Storable, revision: int, outbox: list[Any]) -> Document:
    """The document of an aggregate with the events that wait to be published."""
    fields = entity.model_dump(mode="json", exclude={"id"})
    return {"_id": entity.id, "revision": revision, **fields, "outbox": outbox, "unsent": bool(outbox)}


def entity_of(model: type[T], document: Mapping[str, Any]) -> T:
    """The aggregate in a document."""
    fields = {name: value for name, value in document.items() if name not in RESERVED}
    return model.model_validate({**fields, "id": document["_id"]})
