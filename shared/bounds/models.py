"""The bounds of a pydantic model, read from the types of its fields."""

import json
from collections.abc import Iterable
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import MaxLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from shared.bounds.limits import MaxBytes, MaxEntries
from shared.bounds.values import Bound, Dict, List, Object, Scalar, Text

_ESCAPED_BYTES = 6
"""The longest JSON encoding of one character."""
_SCALARS: dict[Any, Bound] = {int: Scalar(20), float: Scalar(24), bool: Scalar(5)}


def bounded(event: BaseModel) -> dict[str, Any]:
    """An event as JSON data within its bounds; raises `BoundsError`."""
    return bound_of(type(event)).apply(event.model_dump(mode="json"), ())


@lru_cache
def bound_of(model: type[BaseModel]) -> Bound:
    """The bound of a model; raises `TypeError` for a field without one."""
    fields = model.model_fields.items()
    return Object(
        {name: _bound(field.annotation, field.metadata, f"{model.__name__}.{name}") for name, field in fields}
    )


def _bound(annotation: Any, metadata: list[Any], name: str) -> Bound:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _bound(arguments[0], [*metadata, *_flat(arguments[1:])], name)
    if origin in (Union, UnionType):
        [argument] = [a for a in arguments if a is not NoneType]
        return _bound(argument, metadata, name)
    if origin is Literal:
        return Scalar(max(len(json.dumps(value)) for value in arguments))
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return bound_of(annotation)
    if annotation is str:
        return Text(_text_limit(metadata, name))
    if origin in (tuple, list):
        return List(_bound(arguments[0], [], name), _entries(metadata, name))
    if origin is dict:
        key, value = (_bound(argument, [], name) for argument in arguments)
        return Dict(key, value, _entries(metadata, name))
    raise TypeError(f"{name}: the type {annotation} has no bound")


def _flat(metadata: Iterable[Any]) -> list[Any]:
    return [part for entry in metadata for part in (entry.metadata if isinstance(entry, FieldInfo) else [entry])]


def _text_limit(metadata: list[Any], name: str) -> MaxBytes:
    # A field may have both: a number of characters for requests by HTTP, and bytes.
    if declared := [entry for entry in metadata if isinstance(entry, MaxBytes)]:
        return declared[0]
    for entry in metadata:
        if isinstance(entry, MaxLen):
            return MaxBytes(entry.max_length * _ESCAPED_BYTES)
    raise TypeError(f"{name}: declare the longest text with MaxBytes")


def _entries(metadata: list[Any], name: str) -> MaxEntries:
    for entry in metadata:
        if isinstance(entry, MaxEntries):
            return entry
        if isinstance(entry, MaxLen):
            return MaxEntries(entry.max_length)
    raise TypeError(f"{name}: declare the most entries with MaxEntries")
