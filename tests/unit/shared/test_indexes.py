"""Each query of a service is served by an index that is declared where its collection is made."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from shared.store import Cursor, MemoryStore, UnindexedQueryError
from shared.store.documents import Order, conditions
from shared.store.indexes import Index, Indexes


class Job(BaseModel):
    id: str
    owner: str = "ann"
    at: float = 0


@pytest.mark.parametrize(
    ("index", "fields", "by", "served"),
    [
        ("owner", {"owner": "ann"}, None, True),
        ("owner", {"owner__in": ["ann", "bob"]}, None, True),
        ("owner", {"at": 1}, None, False),
        ("owner", {"owner": "ann", "at": 1}, None, False),
        (("owner", "at"), {"owner": "ann", "at": 1}, None, True),
        (("owner", "at"), {"owner": "ann"}, None, True),
        (("owner", "at"), {"at": 1}, None, False),
        (("owner", "at"), {"owner": "ann"}, "at", True),
        (("owner", "at"), {"owner": "ann", "at__lt": 5}, "at", True),
        (("owner", "at"), {}, "at", False),
        ("owner", {"owner": "ann"}, "at", False),
        ("at", {"at__gte": 1, "at__lt": 5}, None, True),
        ("at", {}, "at", True),
        ("at", {"id": "a"}, None, True),
        ("at", {"id__in": ["a"]}, None, True),
        ("at", {"id__gt": "a"}, None, False),
        (("labels", "at"), {"labels__all": ["x"]}, "at", True),
        ("at", {"labels__all": ["x"]}, "at", False),
    ],
)
def test_an_index_serves_equality_then_range_or_order(
    index: Index, fields: dict[str, Any], by: str | None, served: bool
) -> None:
    order = Order(by, descending=True) if by else None
    assert Indexes("jobs", [index]).serve(conditions(fields), order) is served


def test_several_filters_are_served_where_each_has_an_index_with_the_order() -> None:
    indexes = Indexes("audit", [("key_id", "at"), ("action", "at")])
    order = Order("at", descending=True)
    assert indexes.serve(conditions({"key_id": "k", "action": "a"}), order)
    assert not indexes.serve(conditions({"key_id": "k", "service": "s"}), order)


async def test_a_query_without_an_index_is_an_error_in_tests() -> None:
    jobs = MemoryStore("gateway").collection("jobs", Job, indexes=["owner"])
    await jobs.create(Job(id="a"))
    assert await jobs.find(owner="ann") == [Job(id="a")]
    with pytest.raises(UnindexedQueryError, match=r"no index of 'jobs' serves a search by \['at eq'\]"):
        await jobs.find(at=0)
    with pytest.raises(UnindexedQueryError, match="sorted by at"):
        await jobs.page(Cursor(None, 5), owner="ann")


async def test_a_small_collection_may_be_read_completely() -> None:
    pools = MemoryStore("gateway").collection("pools", Job, few=True)
    await pools.create(Job(id="a"))
    assert await pools.find() == await pools.find(at=0) == [Job(id="a")]


def test_services_read_a_whole_collection_only_where_it_is_small() -> None:
    found: set[str] = set()
    for path, node in _calls("find"):
        if not node.args and not node.keywords:
            assert isinstance(node.func, ast.Attribute)
            found.add(f"{path.name}: {ast.unparse(node.func.value)}")
    assert found == {
        "catalog.py: self.policies",
        "catalog.py: self.sets",
        "directory.py: self.stored_pins",
        "known_deployments.py: self.stored",
        "model_deletion.py: self.pins",
        "model_deletion.py: self.views",
        "pools.py: self.pools",
        "split_plans.py: self.splits",
        "usage_ledger.py: self.tallies",
    }


def _calls(name: str) -> Iterator[tuple[Path, ast.Call]]:
    for path in sorted(Path("services").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name:
                yield path, node


def test_each_collection_of_a_service_declares_its_indexes() -> None:
    found = {f"{path}:{call.lineno}": call for path, call in _calls("collection")}
    assert len(found) > 40
    # In the gateway `Resources.collection` declares them: without indexes, searches are errors there, too.
    bare = [
        place
        for place, call in found.items()
        if len(call.args) < 3
        and not {"indexes", "few"} & {each.arg for each in call.keywords}
        and not place.startswith("services/gateway/")
    ]
    assert bare == []
