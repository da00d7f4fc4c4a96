"""A directory that followed single changes means the same as one that reads everything anew."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as some

from services.gateway.common.domain.model_names import fine_tuned_model
from services.gateway.inference.domain.traffic_split import AliasSplit
from services.gateway.inference.service.split_plans import SplitPlans
from services.gateway.serving.domain.catalog import Target
from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.domain.lineage import RollbackPin
from services.gateway.serving.service.directory import Directory
from shared.store import Collection, MemoryStore
from tests.gateway import BASE, candidate

ALIASES = ["address", "intent", None, BASE]
JOBS = [f"job-{n}" for n in range(6)]


class World:
    """Stored deployments and pins, and a fleet whose pools change."""

    def __init__(self) -> None:
        self.store, self.fleet = MemoryStore("gateway"), Fleet({BASE: []})
        self.deployments: Collection[Deployment] = self.store.collection(
            "deployments", Deployment, ["saved_at"], stamped=True
        )
        self.pins: Collection[RollbackPin] = self.store.collection("aliases", RollbackPin)

    def directory(self) -> Directory:
        splits = SplitPlans(splits=self.store.collection("routes", AliasSplit))
        return Directory(deployments=self.deployments, stored_pins=self.pins, splits=splits, fleet=self.fleet, keep=2)

    async def change(self, job: int, status: str, alias: str | None) -> None:
        job_id = JOBS[job]
        made = candidate(job_id, suffix=alias)
        # Approvals come in another order than ids.
        wish = Deployment.model_validate(
            {"id": job_id, "at": float(job * 7 % 5), "candidate": made, "status": status, "deployed_at": 9.0}
        )
        if not await self.deployments.create(wish):
            await self.deployments.change(job_id, lambda known: (known.model_copy(update={"status": status}), []))

    async def pin(self, alias: str, job: int) -> None:
        pin = RollbackPin(id=alias, at=9.0, version=candidate(JOBS[job]).version, beyond=float(job))
        if not await self.pins.create(pin, []):
            await self.pins.change(alias, lambda _: (pin, []))

    def toggle_pool(self, base: str) -> None:
        self.fleet.pools.pop(base) if base in self.fleet.pools else self.fleet.pools.update({base: []})


def meaning(directory: Directory) -> dict[str, tuple[Target | None, int, str | None]]:
    catalog = directory.catalog
    return {name: (catalog.find(name), catalog.created[name], catalog.parents[name]) for name in catalog.names()}


deploy = some.tuples(
    some.integers(0, len(JOBS) - 1),
    some.sampled_from(["pending", "deployed", "failed", "deleted"]),
    some.sampled_from(ALIASES),
)
roll_back = some.tuples(some.sampled_from(["address", "intent"]), some.integers(0, len(JOBS) - 1))
change_pool = some.sampled_from(["address", "other-base"])


@settings(deadline=None)
@given(some.lists(deploy | roll_back | change_pool, max_size=12))
def test_after_each_change_it_equals_a_new_directory(changes: list[tuple[int, str, str | None]]) -> None:
    async def follow() -> None:
        world = World()
        followed = world.directory()
        for change in changes:
            match change:
                case str():
                    world.toggle_pool(change)
                case (str(), _):
                    await world.pin(*change)
                case _:
                    await world.change(*change)
            wanted = await followed.refresh()
            anew = world.directory()
            assert {each.id: each for each in await anew.refresh()} == {each.id: each for each in wanted}
            assert meaning(followed) == meaning(anew)

    asyncio.run(follow())


async def test_a_refresh_that_was_cancelled_loses_no_change() -> None:
    world = World()
    directory = world.directory()
    await directory.refresh()
    await world.change(0, "deployed", "address")

    async def cancelled(*_: object, **__: object) -> list[AliasSplit]:
        raise asyncio.CancelledError

    splits, directory.splits.refresh = directory.splits.refresh, cancelled
    task = asyncio.ensure_future(directory.refresh())
    await asyncio.wait([task])
    assert task.cancelled()
    directory.splits.refresh = splits
    await directory.refresh()
    assert directory.catalog.find("address") is not None


async def test_a_waiting_version_with_the_name_of_a_deployed_one_does_not_remove_it() -> None:
    """Names end in eight digits by chance, so that two of many thousands can be equal."""
    world = World()
    directory = world.directory()
    await world.change(0, "deployed", None)
    await directory.refresh()
    first = candidate(JOBS[0], suffix=None)
    twin = candidate(JOBS[1], suffix=None).model_copy(update={"model_name": first.model_name})
    await world.deployments.create(Deployment(id=JOBS[1], at=1.0, candidate=twin))
    await directory.refresh()
    assert directory.catalog.find(fine_tuned_model(first)) is not None
