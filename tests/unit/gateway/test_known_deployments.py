"""The copy of the deployments in memory follows what is stored, and reads only what changed."""

import pytest

from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.service.known_deployments import READ_ALL_S, KnownDeployments
from shared.store import Collection, MemoryStore
from tests.gateway import candidate


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("shared.store.collection.time.time", clock)
    return clock


@pytest.fixture
async def stored(clock: Clock) -> Collection[Deployment]:
    made = MemoryStore("gateway").collection("deployments", Deployment, ["saved_at"], stamped=True)
    for number in range(3):
        await made.create(Deployment(id=f"job-{number}", at=number, candidate=candidate(f"job-{number}")))
    return made


async def save(stored: Collection[Deployment], job_id: str, status: str) -> None:
    await stored.change(job_id, lambda known: (known.model_copy(update={"status": status}), ()))


def status(known: KnownDeployments) -> dict[str, str]:
    """Of those that are pending or deployed."""
    deployed = [each for lineage in known.lineages.by_alias.values() for each in lineage]
    return {each.id: each.status for each in [*known.lineages.pending.values(), *deployed]}


async def test_changes_and_new_deployments_are_seen(stored: Collection[Deployment], clock: Clock) -> None:
    known = KnownDeployments(stored, clock)
    await known.refresh()
    assert set(status(known).values()) == {"pending"}
    clock.now += 1
    await save(stored, "job-1", "deployed")
    await stored.create(Deployment(id="job-3", at=3, candidate=candidate("job-3")))
    await known.refresh()
    assert status(known) == {"job-0": "pending", "job-1": "deployed", "job-2": "pending", "job-3": "pending"}


async def test_a_change_is_taken_once(stored: Collection[Deployment], clock: Clock) -> None:
    known = KnownDeployments(stored, clock)
    await known.refresh()
    assert len(known.take_changed()) == 3
    await known.refresh()
    assert known.take_changed() == ()
    await save(stored, "job-1", "deployed")
    await known.refresh()
    await known.refresh()
    assert [each.id for each in known.take_changed()] == ["job-1"]
    assert [each.id for each in known.lineages.of("address")] == ["job-1"]


async def test_only_what_changed_lately_and_what_is_pending_is_read(stored, clock: Clock, monkeypatch) -> None:
    for number in range(3):
        await save(stored, f"job-{number}", "deployed" if number else "pending")
    known = KnownDeployments(stored, clock)
    await known.refresh()
    clock.now += 200
    await known.refresh()
    found: list[int] = []
    find = stored.find

    async def counted(**fields):
        result = await find(**fields)
        found.append(len(result))
        return result

    monkeypatch.setattr(stored, "find", counted)
    clock.now += 200
    await save(stored, "job-2", "deleted")
    await known.refresh()
    assert found == [1, 1]
    assert status(known) == {"job-0": "pending", "job-1": "deployed"}


async def test_a_change_without_a_time_is_seen_after_ten_minutes(stored, clock: Clock) -> None:
    for number in range(3):
        await save(stored, f"job-{number}", "deployed")
    known = KnownDeployments(stored, clock)
    await known.refresh()
    [document] = [each for each in await stored._documents.find([]) if each["_id"] == "job-1"]
    del document["saved_at"]
    await stored._documents.put({**document, "status": "deleted"})
    clock.now += READ_ALL_S - 1
    await known.refresh()
    assert status(known)["job-1"] == "deployed"
    clock.now += 1
    await known.refresh()
    assert "job-1" not in status(known)
