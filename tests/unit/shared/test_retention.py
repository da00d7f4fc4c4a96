"""Old documents are removed by one process, and what may still be needed is kept."""

import pytest
from pydantic import BaseModel

from shared import retention
from shared.retention import DAY_S, Retention, RetentionSweep, SweepTurn
from shared.store import Collection, MemoryStore

NOW = 1000 * DAY_S


class Entry(BaseModel):
    id: str
    at: float = 0.0
    day: str = ""
    status: str = "done"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore("gateway")


@pytest.fixture
async def entries(store: MemoryStore) -> Collection[Entry]:
    made = store.collection("entries", Entry, ["at", ("status", "at"), "day"])
    for age in (1, 29, 31, 400):
        await made.create(Entry(id=f"{age} days", at=NOW - age * DAY_S, day=f"1972-09-{27 - age % 27:02}"))
    await made.create(Entry(id="unknown", day="1972-09-27"))
    return made


def sweep(store: MemoryStore, *retentions: Retention, inbox_days: float = 90, process: str = "a") -> RetentionSweep:
    turns = store.collection("sweeps", SweepTurn, indexes=[])
    return RetentionSweep(store, turns, inbox_days, retentions, now=lambda: NOW, process=process)


async def ids(entries: Collection[Entry]) -> set[str]:
    return {entry.id for entry in await entries.find()}


async def test_documents_are_removed_after_their_days_and_those_without_a_time_are_kept(store, entries) -> None:
    assert await sweep(store, Retention(entries, 30)).sweep() == 2
    assert await ids(entries) == {"1 days", "29 days", "unknown"}


async def test_zero_days_keep_everything(store: MemoryStore, entries: Collection[Entry]) -> None:
    assert await sweep(store, Retention(entries, 0)).sweep() == 0
    assert len(await ids(entries)) == 5


async def test_only_documents_with_the_given_fields_are_removed(store, entries: Collection[Entry]) -> None:
    await entries.create(Entry(id="pending", at=NOW - 50 * DAY_S, status="pending"))
    await sweep(store, Retention(entries, 30, fields={"status__in": ["done", "dead"]})).sweep()
    assert await ids(entries) == {"1 days", "29 days", "unknown", "pending"}


async def test_a_field_can_be_a_day(store: MemoryStore) -> None:
    entries = store.collection("entries", Entry, ["day"])
    for day in ("1972-08-26", "1972-08-28", "1972-09-20"):
        await entries.create(Entry(id=day, day=day))
    await sweep(store, Retention(entries, 30, by="day", by_day=True)).sweep()
    assert await ids(entries) == {"1972-08-28", "1972-09-20"}


async def test_more_than_one_batch_is_removed(store, entries, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_BATCH", 1)
    monkeypatch.setattr(retention, "_PAUSE_S", 0)
    assert await sweep(store, Retention(entries, 0.5)).sweep() == 4


async def test_handled_events_are_forgotten_after_their_days(store: MemoryStore, monkeypatch) -> None:
    for name, age in (("old", 91), ("new", 89)):
        monkeypatch.setattr("shared.store.outgoing.time.time", lambda age=age: NOW - age * DAY_S)
        await store.mark_seen("consumer", [name])
    assert await sweep(store, inbox_days=90).sweep() == 1
    assert await store.seen("consumer", ["old", "new"]) == {"new"}


async def test_one_process_sweeps_in_an_hour(store: MemoryStore) -> None:
    assert await sweep(store, process="a")._has_turn()
    assert not await sweep(store, process="b")._has_turn()
