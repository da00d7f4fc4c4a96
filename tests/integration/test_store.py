"""The same behaviour of collections in MongoDB and in memory."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict

from shared.events import TrainingCancelRequested
from shared.settings import CommonSettings
from shared.store import BaseStore, Collection, Cursor, CursorError, MemoryStore, Store


class Author(BaseModel):
    name: str


class Suite(BaseModel):
    """A domain object that knows nothing of the store; `model_config` shows that only its own fields come back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    at: float = 0
    author: Author = Author(name="ann")
    kind: Literal["exam", "chat"] = "exam"
    labels: tuple[str, ...] = ()
    extra: dict[str, Any] = {}
    note: str | None = None


class Point(BaseModel):
    """An object whose id is made of its other fields."""

    run: str
    step: int

    @property
    def id(self) -> str:
        return f"{self.run}/{self.step}"


@pytest.fixture(params=["memory", "mongo"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[BaseStore]:
    if request.param == "memory":
        made: BaseStore = MemoryStore("trainer")
    else:
        common: CommonSettings = request.getfixturevalue("common")
        made = Store(common.mongo_url, f"{common.database_prefix}store", "trainer")
    yield made
    made.close()


@pytest.fixture
async def suites(store: BaseStore) -> Collection[Suite]:
    suites = store.collection("suites", Suite, ["author.name", ("kind", "at")], few=True)
    await store.prepare()
    return suites


def cancel(job_id: str) -> TrainingCancelRequested:
    return TrainingCancelRequested(job_id=job_id)


async def waiting(store: BaseStore) -> list[str]:
    return [event.data["job_id"] for _, _, events in await store.unsent_events() for event in events]


async def relay(store: BaseStore) -> None:
    for collection, entity_id, events in await store.unsent_events():
        await store.mark_sent(collection, entity_id, {event.id for event in events})


async def test_an_object_comes_back_as_it_was_saved(suites: Collection[Suite]) -> None:
    suite = Suite(id="a", at=1.5, labels=("x", "y"), extra={"deep": {"list": [1, None]}}, note="n")
    assert await suites.create(suite)
    assert await suites.get("a") == suite
    assert await suites.get("b") is None


async def test_a_second_create_changes_nothing_and_publishes_nothing(store: BaseStore, suites) -> None:
    assert await suites.create(Suite(id="a", note="first"), [cancel("1")])
    assert not await suites.create(Suite(id="a", note="second"), [cancel("2")])
    assert (await suites.get("a")).note == "first"
    assert await waiting(store) == ["1"]


async def test_an_object_whose_id_is_made_of_its_fields_is_stored_too(store: BaseStore) -> None:
    points = store.collection("points", Point)
    await points.create(Point(run="r", step=3))
    assert await points.get("r/3") == Point(run="r", step=3)


def test_a_model_with_a_field_of_the_store_is_refused(store: BaseStore) -> None:
    class Policy(BaseModel):
        id: str
        revision: int

    with pytest.raises(TypeError, match="rename its field revision"):
        store.collection("policies", Policy)


async def test_callers_cannot_change_what_is_stored_through_the_objects_they_hold(suites) -> None:
    given = Suite(id="a", extra={"list": [1]})
    await suites.create(given)
    given.extra["list"].append(2)
    [read], [found] = [await suites.get("a")], await suites.find()
    read.extra["list"].append(3)
    found.extra["list"].append(4)
    assert (await suites.get("a")).extra == {"list": [1]}


async def test_a_change_is_saved_together_with_its_events(store: BaseStore, suites) -> None:
    await suites.create(Suite(id="a"), [cancel("1")])
    changed = await suites.change("a", lambda s: (s.model_copy(update={"note": "new"}), [cancel("2")]))
    assert changed == await suites.get("a") == Suite(id="a", note="new")
    assert await waiting(store) == ["1", "2"]


async def test_no_decision_is_no_change_and_an_unknown_id_is_none(store: BaseStore, suites) -> None:
    await suites.create(Suite(id="a"))
    assert await suites.change("a", lambda s: None) == Suite(id="a")
    assert await suites.change("b", lambda s: (s, [cancel("1")])) is None
    assert await waiting(store) == []


async def test_a_change_must_keep_the_id(suites: Collection[Suite]) -> None:
    await suites.create(Suite(id="a"))
    with pytest.raises(ValueError, match="must keep the id 'a'"):
        await suites.change("a", lambda s: (s.model_copy(update={"id": "b"}), ()))


async def test_racing_changes_are_all_kept(store: BaseStore, suites: Collection[Suite]) -> None:
    def append(suite: Suite) -> tuple[Suite, list[TrainingCancelRequested]]:
        n = len(suite.labels)
        return suite.model_copy(update={"labels": (*suite.labels, str(n))}), [cancel(str(n))]

    await asyncio.gather(*(suites.upsert(Suite(id="a"), append) for _ in range(10)))
    suite = await suites.get("a")
    assert suite is not None
    assert suite.labels == tuple(map(str, range(10)))
    assert await waiting(store) == list(suite.labels)


async def test_upsert_begins_with_the_empty_object_and_stores_nothing_without_a_decision(suites) -> None:
    assert await suites.upsert(Suite(id="a", note="empty"), lambda s: None) == Suite(id="a", note="empty")
    assert await suites.get("a") is None
    await suites.upsert(Suite(id="a"), lambda s: (s.model_copy(update={"at": s.at + 1}), ()))
    await suites.upsert(Suite(id="a"), lambda s: (s.model_copy(update={"at": s.at + 1}), ()))
    assert (await suites.get("a")).at == 2


async def test_put_replaces_what_was_there(suites: Collection[Suite]) -> None:
    await suites.put(Suite(id="a", note="first", labels=("x",)))
    await suites.put(Suite(id="a", note="second"))
    assert await suites.find() == [Suite(id="a", note="second")]


async def test_published_events_leave_the_outbox(store: BaseStore, suites) -> None:
    await suites.create(Suite(id="a"), [cancel("1"), cancel("2")])
    [(collection, entity_id, [first, second])] = await store.unsent_events()
    await store.mark_sent(collection, entity_id, {first.id})
    assert await waiting(store) == ["2"]
    await store.mark_sent(collection, entity_id, {second.id})
    assert await store.unsent_events() == []
    await store.mark_sent("suites", "unknown", {first.id})
    assert await suites.get("a") == Suite(id="a")


async def test_a_deleted_object_is_gone_at_once_and_its_last_events_are_published(store: BaseStore, suites) -> None:
    await suites.create(Suite(id="a"), [cancel("1")])
    assert await suites.delete("a", [cancel("2")])
    assert await suites.get("a") is None
    assert await suites.find() == []
    assert await suites.change("a", lambda s: (s, ())) is None
    assert not await suites.delete("a")
    assert await waiting(store) == ["1", "2"]
    await relay(store)
    assert await store.documents("suites").get("a") is None


async def test_an_event_without_an_aggregate_is_published_and_leaves_nothing(store: BaseStore) -> None:
    await store.emit([cancel("1"), cancel("2")])
    assert store.unsent.is_set()
    assert await waiting(store) == ["1", "2"]
    await relay(store)
    assert await store.documents("outbox").find([]) == []


async def test_a_deleted_id_can_be_created_again_before_its_events_are_published(store: BaseStore, suites) -> None:
    await suites.create(Suite(id="a", note="first"))
    await suites.delete("a", [cancel("1")])
    assert await suites.create(Suite(id="a", note="second"), [cancel("2")])
    assert await waiting(store) == ["1", "2"]
    await relay(store)
    assert await suites.get("a") == Suite(id="a", note="second")
    assert await suites.delete("a")
    assert await store.documents("suites").get("a") is None


SUITES = (
    Suite(id="a", at=1, author=Author(name="ann"), labels=("x", "y")),
    Suite(id="b", at=2, author=Author(name="bob"), labels=("x",), kind="chat", note="n"),
    Suite(id="c", at=2, author=Author(name="ann")),
    Suite(id="d", at=4, author=Author(name="bob"), labels=("y", "x", "z"), note="m"),
)


@pytest.fixture
async def four(suites: Collection[Suite]) -> Collection[Suite]:
    for suite in SUITES:
        await suites.create(suite)
    return suites


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "abcd"),
        ({"id": "a"}, "a"),
        ({"author__name": "ann"}, "ac"),
        ({"author__name": "ann", "kind": "exam", "at": 2}, "c"),
        ({"note": None}, "ac"),
        ({"unknown": None}, "abcd"),
        ({"labels": ("x", "y")}, "a"),
        ({"labels__all": ["x", "y"]}, "ad"),
        ({"kind__in": ["chat", "other"]}, "b"),
        ({"note__in": [None, "m"]}, "acd"),
        ({"note__in": ["n", "m", "m"], "author__name__in": ["bob", "eve"]}, "bd"),
        ({"note__in": []}, ""),
        ({"id__in": ["a", "b", "x"]}, "ab"),
        ({"at__gt": 1, "at__lte": 2}, "bc"),
        ({"at__gte": 2, "at__lt": 4}, "bc"),
        ({"note__gte": "m"}, "bd"),
        ({"note__lt": 5}, ""),
    ],
)
async def test_searches_by_fields(four: Collection[Suite], fields: dict[str, Any], expected: str) -> None:
    found = await four.find(**fields)
    assert "".join(sorted(suite.id for suite in found)) == expected


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ({"newest_first": "at"}, "dcba"),
        ({"oldest_first": "at"}, "abcd"),
        ({"newest_first": "note"}, "bdca"),
        ({"oldest_first": "author.name"}, "acbd"),
        ({"newest_first": "at", "limit": 2}, "dc"),
        ({"newest_first": "at", "limit": 2, "id__in": ["a", "b", "c"]}, "cb"),
        ({"newest_first": "at", "limit": 3, "author__name__in": ["bob", "ann"]}, "dcb"),
        ({"oldest_first": "at", "author__name__in": ["bob", "ann"]}, "abcd"),
    ],
)
async def test_sorted_searches(four: Collection[Suite], order: dict[str, Any], expected: str) -> None:
    assert "".join(suite.id for suite in await four.find(**order)) == expected


@pytest.mark.parametrize(("oldest_first", "expected"), [(False, ["dc", "ba"]), (True, ["ab", "cd"])])
async def test_pages_cover_the_list_once_although_times_are_equal(four, oldest_first, expected) -> None:
    first = await four.page(Cursor(None, 2), oldest_first=oldest_first)
    second = await four.page(Cursor(first.items[-1].id, 2), oldest_first=oldest_first)
    assert ["".join(suite.id for suite in page.items) for page in (first, second)] == expected
    assert (first.has_more, second.has_more) == (True, False)


@pytest.mark.parametrize("oldest_first", [False, True])
async def test_pages_cover_the_list_once_although_all_times_are_equal(suites, oldest_first: bool) -> None:
    names = [f"{number:02}" for number in range(30)]
    for name in names:
        await suites.create(Suite(id=name, at=5, kind="exam" if int(name) % 2 else "chat"))
    after, read = None, []
    while True:
        page = await suites.page(Cursor(after, 4), oldest_first=oldest_first, kind__in=["exam", "chat"])
        read += [suite.id for suite in page.items]
        if not page.has_more:
            break
        after = read[-1]
    assert read == sorted(names, reverse=not oldest_first)


async def test_a_page_holds_only_entries_with_the_given_fields(four: Collection[Suite]) -> None:
    page = await four.page(Cursor("d", 5), author__name="bob", labels__all=["x"])
    assert [suite.id for suite in page.items] == ["b"]


@pytest.mark.parametrize("after", ["a", "unknown"])
async def test_a_cursor_that_is_not_in_the_list_is_an_error(four: Collection[Suite], after: str) -> None:
    with pytest.raises(CursorError, match="not an entry of this list") as error:
        await four.page(Cursor(after, 2), author__name="bob")
    assert error.value.param == "after"


@pytest.mark.parametrize("limit", [0, 101, -1])
def test_a_page_size_out_of_bounds_is_an_error(limit: int) -> None:
    assert Cursor.of(None, None, default=20, largest=100) == Cursor(None, 20)
    with pytest.raises(CursorError, match="between 1 and 100") as error:
        Cursor.of(None, limit, default=20, largest=100)
    assert error.value.param == "limit"


async def test_handled_events_are_remembered_for_each_consumer(store: BaseStore) -> None:
    assert await store.seen("one", ["event"]) == set()
    await store.mark_seen("one", ["event"])
    await store.mark_seen("one", ["new", "event", "newer"])
    assert await store.seen("one", ["event", "new", "newer", "other"]) == {"event", "new", "newer"}
    assert await store.seen("two", ["event"]) == set()


async def test_handled_events_are_forgotten_the_oldest_first(store: BaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for at in (30.0, 10.0, 20.0):
        monkeypatch.setattr("shared.store.outgoing.time.time", lambda at=at: at)
        await store.mark_seen("one", [f"event-{at:.0f}"])
    assert await store.forget_seen(30, 1) == 1
    assert await store.seen("one", ["event-10", "event-20", "event-30"]) == {"event-20", "event-30"}
    assert await store.forget_seen(30, 5) == 1
    assert await store.forget_seen(30, 5) == 0
    assert await store.seen("one", ["event-20", "event-30"]) == {"event-30"}


async def test_old_objects_are_removed_except_those_with_events_that_wait(store: BaseStore, suites) -> None:
    for at, events in ((1, ()), (2, [cancel("1")]), (3, ()), (9, ())):
        await suites.create(Suite(id=f"s{at}", at=at, kind="exam"), events)
    await suites.create(Suite(id="chat", at=1, kind="chat"))
    assert await suites.remove_older("at", 5, 1, kind="exam") == 1
    assert await suites.remove_older("at", 5, 10, kind="exam") == 1
    assert [suite.id for suite in await suites.find(oldest_first="at")] == ["chat", "s2", "s9"]
    await relay(store)
    assert await suites.remove_older("at", 5, 10, kind="exam") == 1
    assert [suite.id for suite in await suites.find(oldest_first="at")] == ["chat", "s9"]


async def test_an_object_saved_with_events_wakes_the_relay(store: BaseStore, suites) -> None:
    await suites.create(Suite(id="a"))
    assert not store.unsent.is_set()
    await suites.change("a", lambda s: (s, [cancel("1")]))
    assert store.unsent.is_set()
