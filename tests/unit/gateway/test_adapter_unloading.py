"""Adapters that are unloaded while requests come for them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from services.gateway.common.domain.model_names import loaded_name
from services.gateway.inference.domain.traffic_split import AliasSplit
from services.gateway.inference.service.inference import Inference
from services.gateway.inference.service.split_plans import SplitPlans
from services.gateway.serving.domain.catalog import Target
from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.domain.lineage import RollbackPin
from services.gateway.serving.service.adapter_loader import AdapterLoader
from services.gateway.serving.service.directory import Directory
from services.gateway.serving.service.versions import Versions
from shared.events import Candidate
from shared.store import MemoryStore
from tests.gateway import BASE, candidate


@dataclass
class SlowEngine:
    """Unloads an adapter, or loads one at a URL in `slow`, only when the test lets it go on.

    `begun` has the name of each adapter that it began to unload, or to load slowly.
    """

    held: set[str]
    slow: set[str] = field(default_factory=set)
    begun: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def load(self, url: str, name: str, _folder: Path) -> None:
        if url in self.slow:
            self.begun.put_nowait(name)
            await self.go_on.wait()
        self.held.add(name)

    async def probe(self, _url: str, name: str) -> None:
        assert name in self.held

    async def unload(self, _url: str, name: str) -> None:
        self.begun.put_nowait(name)
        await self.go_on.wait()
        self.held.discard(name)


class UncheckedLoader(AdapterLoader):
    """Loads adapters without files."""

    def checked(self, replica: Any, candidate: Candidate) -> Path:
        return Path("/anywhere")


def holding(*made: Candidate) -> tuple[AdapterLoader, SlowEngine]:
    names = set(map(loaded_name, made))
    engine, fleet = SlowEngine(held=set(names)), Fleet({BASE: ["http://engine"]})
    [replica] = fleet.replicas
    replica.up, replica.loaded = True, names
    no: Any = None
    loader = UncheckedLoader(
        engine=engine,  # type: ignore[arg-type]
        artifacts=no,
        fleet=fleet,
        cache=Path("/anywhere"),
        max_on_demand=4,
        folders=no,
        max_rank=16,
        share=1.0,
    )
    return loader, engine


@pytest.fixture
def without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that starts runs until it waits for a lock or for the engine, and not for a thread."""

    async def at_once(work: Callable[..., Any], *args: Any) -> Any:
        return work(*args)

    monkeypatch.setattr(asyncio, "to_thread", at_once)


@pytest.mark.usefixtures("without_threads")
async def test_a_checkpoint_that_is_called_while_it_is_unloaded_is_loaded_again_afterwards() -> None:
    made = candidate("called")
    loader, engine = holding(made)
    [replica] = loader.fleet.replicas
    unloading = asyncio.create_task(loader.retire(replica, set))
    await engine.begun.get()
    request = asyncio.create_task(loader.make_available(made))
    await asyncio.sleep(0)
    engine.go_on.set()
    await asyncio.gather(unloading, request)
    assert replica.loaded == engine.held == {loaded_name(made)}


@pytest.mark.parametrize("called", ["preloaded", "on demand"])
async def test_a_checkpoint_that_is_needed_again_while_another_is_unloaded_stays(called: str) -> None:
    first, second = sorted((candidate("one"), candidate("two")), key=loaded_name)
    loader, engine = holding(first, second)
    [replica] = loader.fleet.replicas
    unloading = asyncio.create_task(loader.retire(replica, set))
    await engine.begun.get()
    if called == "preloaded":
        loader.preload(second.job_id, [second])
    else:
        loader.on_demand[loaded_name(second)] = second
    engine.go_on.set()
    await unloading
    assert replica.loaded == engine.held == {loaded_name(second)}


class Rollback:
    """A stable name with an old version, which is not loaded, and a current one, before two engines."""

    def __init__(self) -> None:
        self.old, self.new = candidate("old"), candidate("new")
        self.loader, self.engine = holding()
        self.fleet, self.store = self.loader.fleet, MemoryStore("gateway")
        self.fleet.arrange({BASE: ["http://fast", "http://slow"]})
        for replica in self.fleet.replicas:
            replica.up = True
            replica.loaded.add(loaded_name(self.new))
        self.engine.slow.add("http://slow")
        deployments = self.store.collection("deployments", Deployment, ["saved_at", "candidate.suffix"], stamped=True)
        self.deployments, self.pins = deployments, self.store.collection("aliases", RollbackPin)
        splits = SplitPlans(splits=self.store.collection("routes", AliasSplit))
        self.directory = Directory(
            deployments=deployments, stored_pins=self.pins, splits=splits, fleet=self.fleet, keep=1
        )
        no: Any = None
        self.versions = Versions(
            views=deployments,
            pins=self.pins,
            splits=splits,
            directory=self.directory,
            fleet=self.fleet,
            loader=self.loader,
            swaps=no,
            changed=asyncio.Event(),
        )

    async def start(self) -> None:
        for at, made in enumerate((self.old, self.new)):
            await self.deployments.create(Deployment(id=made.job_id, at=at, candidate=made, status="deployed"))
        await self.directory.refresh()

    async def retire(self) -> None:
        await asyncio.gather(*(self.loader.retire(r, self.directory.wanted_names) for r in self.fleet.replicas))

    def holders(self) -> list[str]:
        return [replica.url for replica in self.fleet.replicas if loaded_name(self.old) in replica.loaded]


@pytest.mark.usefixtures("without_threads")
async def test_a_version_that_is_being_rolled_back_to_is_unloaded_nowhere() -> None:
    name = Rollback()
    await name.start()
    rollback = asyncio.create_task(name.versions.roll_back("address", None, "worse"))
    await name.engine.begun.get()
    assert name.holders() == ["http://fast"]
    # The loop's round ends while the other engine still loads the version.
    name.engine.go_on.set()
    await name.retire()
    await rollback
    assert name.holders() == ["http://fast", "http://slow"]
    await name.retire()
    assert name.holders() == ["http://fast", "http://slow"]
    assert not name.loader.held


async def test_a_version_that_its_name_means_again_while_another_is_unloaded_stays() -> None:
    first, second = sorted((candidate("one"), candidate("two")), key=loaded_name)
    loader, engine = holding(first, second)
    [replica] = loader.fleet.replicas
    wanted: set[str] = set()
    unloading = asyncio.create_task(loader.retire(replica, lambda: set(wanted)))
    await engine.begun.get()
    wanted.add(loaded_name(second))
    engine.go_on.set()
    await unloading
    assert replica.loaded == engine.held == {loaded_name(second)}


async def test_a_request_whose_version_another_gateway_unloaded_is_answered_after_loading_it_again() -> None:
    made = candidate("called by two gateways")
    loader, engine = holding(made)
    no: Any = None

    async def send(replica: Any, target: Target, _request: Any) -> Any:
        if target.loaded in engine.held:
            return SimpleNamespace(admitted=lambda *_: None)
        # What an attempt does after the engine's 404.
        replica.loaded.discard(target.loaded)
        return None

    async def resolve(_model: str, _key: Any) -> Target:
        return Target(made.model_name, BASE, loaded_name(made), made.version, made)

    async def admit(*_: Any) -> Any:
        return SimpleNamespace(cancel=lambda: None)

    resolver: Any = SimpleNamespace(
        resolve=resolve, directory=SimpleNamespace(catalog=SimpleNamespace(find=lambda _: None))
    )
    inference = Inference(
        resolver=resolver,
        requests=SimpleNamespace(send=send),  # type: ignore[arg-type]
        splits=SimpleNamespace(plans={}),  # type: ignore[arg-type]
        shadow=no,
        fleet=loader.fleet,
        on_demand=loader,
        ledger=SimpleNamespace(admit=admit),  # type: ignore[arg-type]
        max_in_flight=10,
    )
    # The other gateway no longer needs it; this one learns that from the engine's answer.
    engine.held.clear()
    request: Any = SimpleNamespace(model=made.model_name, prompt_tokens=1, answer_tokens=1)
    assert await inference.chat(request, no)
    assert engine.held == {loaded_name(made)}
