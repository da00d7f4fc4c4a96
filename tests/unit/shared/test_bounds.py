"""Bounds of events."""

import json
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from shared.bounds import BoundsError, MaxBytes, MaxEntries, bound_of, bounded


class Part(BaseModel):
    name: Annotated[str, MaxBytes(8)] = "part"


class Whole(BaseModel):
    id: Annotated[str, MaxBytes(8)] = "id"
    reason: Annotated[str, MaxBytes(32, cut=True)] = ""
    parts: Annotated[tuple[Part, ...], MaxEntries(2)] = ()
    first: Annotated[list[Annotated[str, MaxBytes(8)]], MaxEntries(2, cut=True)] = []
    scores: Annotated[dict[Annotated[str, MaxBytes(8)], float], MaxEntries(2)] = {}
    older: str | None = Field(default=None, max_length=4)
    kind: Literal["a", "long"] = "a"
    count: int = 0
    share: float | None = None
    flag: bool = False


def test_what_is_within_its_bounds_stays_as_it_is() -> None:
    whole = Whole(
        reason="é" * 16, parts=(Part(), Part()), first=["a"], scores={"x": 0.5}, older="abcd", count=2**63 - 1
    )
    assert bounded(whole) == whole.model_dump(mode="json")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"id": "123456789"}, "id: 9 bytes, at most 8 are allowed"),
        ({"id": "ééééé"}, "id: 10 bytes, at most 8 are allowed"),
        ({"id": "\x00\x00"}, "id: 12 bytes, at most 8 are allowed"),
        ({"id": "\ud800"}, "id: the text is not valid Unicode"),
        ({"parts": (Part(), Part(name="123456789"))}, r"parts\.1\.name: 9 bytes"),
        ({"parts": (Part(),) * 3}, "parts: 3 entries, at most 2 are allowed"),
        ({"scores": {"123456789": 1}}, "scores: 9 bytes"),
        ({"scores": {"a": 1, "b": 2, "c": 3}}, "scores: 3 entries"),
        ({"count": 2**63}, "count: the number does not fit into 64 bits"),
    ],
)
def test_what_exceeds_a_bound_is_refused_with_its_place(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(BoundsError, match=message):
        bounded(Whole(**fields))


def test_a_long_free_text_is_cut_with_a_mark() -> None:
    assert bounded(Whole(reason="x" * 600_000))["reason"] == "x" * 23 + "… [cut]"
    assert bounded(Whole(reason="a\ud800b"))["reason"] == "a?b"


def test_a_list_that_may_be_cut_keeps_its_first_entries() -> None:
    assert bounded(Whole(first=["a", "b", "c"]))["first"] == ["a", "b"]


@given(st.text(alphabet=st.characters(), max_size=200), st.lists(st.text(max_size=3), max_size=5))
def test_no_object_is_larger_than_computed(reason: str, first: list[str]) -> None:
    try:
        found = bounded(Whole(reason=reason, first=first))
    except BoundsError:
        return
    assert len(json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()) <= bound_of(Whole).largest()
    assert len(json.dumps(found["reason"], ensure_ascii=False).encode()) <= 34


def test_a_longer_text_is_still_read() -> None:
    assert Whole.model_validate({"id": "123456789"}).id == "123456789"


class Unbounded(BaseModel):
    text: str


class UnboundedEntries(BaseModel):
    texts: dict[str, Annotated[str, MaxBytes(8)]]


class Untyped(BaseModel):
    anything: Any


@pytest.mark.parametrize("model", [Unbounded, UnboundedEntries, Untyped])
def test_a_field_without_a_bound_is_an_error(model: type[BaseModel]) -> None:
    with pytest.raises(TypeError, match=f"{model.__name__}\\."):
        bound_of(model)


def test_the_json_schema_shows_the_bounds() -> None:
    properties = Whole.model_json_schema()["properties"]
    assert properties["id"]["maxLength"] == 8
    assert properties["parts"]["maxItems"] == 2
    assert properties["scores"]["maxProperties"] == 2
