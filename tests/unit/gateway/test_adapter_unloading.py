"""Adapters that are unloaded while requests come for them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from services.gateway.common.domain.model_names import loaded_name
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.service.adapter_loader import AdapterLoader
from shared.events import Candidate
from tests.gateway import BASE, candidate


@dataclass
class SlowEngine:
    """Takes an adapter away only when the test lets it go on; `begun` are the names that it was asked to unload."""

    held: set[str]
    begun: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def load(self, _url: str, name: str, _folder: Path) -> None:
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
    unloading = asyncio.create_task(loader.retire(replica, set()))
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
    unloading = asyncio.create_task(loader.retire(replica, set()))
    await engine.begun.get()
    if called == "preloaded":
        loader.preload(second.job_id, [second])
    else:
        loader.on_demand[loaded_name(second)] = second
    engine.go_on.set()
    await unloading
    assert replica.loaded == engine.held == {loaded_name(second)}
