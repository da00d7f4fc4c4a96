"""An engine that is moved to another pool while its weights are being replaced for the first one."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from services.gateway.common.domain.model_names import loaded_name
from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.replica import Replica
from services.gateway.serving.domain.weight_lease import WeightLease
from services.gateway.serving.service.weight_leases import WeightLeases
from services.gateway.serving.service.weight_swaps import WeightSwaps
from shared.events import Candidate
from shared.store import MemoryStore
from tests.gateway import BASE, candidate

URL = "http://engine:8000"


class Engine:
    """Its first change of weights takes until the test lets it go on."""

    def __init__(self) -> None:
        self.marker = self.weights = ""
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    async def mark(self, _url: str, marker: str) -> None:
        self.marker = marker

    async def reload(self, _url: str, folder: Path) -> None:
        if not self.begun.is_set():
            self.begun.set()
            await self.go_on.wait()
        self.weights = folder.name.partition(".")[0]

    def __getattr__(self, name: str) -> Any:
        async def nothing(*_: Any) -> None: ...

        return nothing


def gateway(name: str, store: MemoryStore, engine: Engine, folder: Path) -> WeightSwaps:
    async def merge(_root: str, _adapter: Path, target: Path) -> None:
        target.mkdir(parents=True)

    loader: Any = SimpleNamespace(
        engine=engine, folders=SimpleNamespace(merge=merge), locks={}, checked=lambda _replica, _made: Path("adapter")
    )
    leases = WeightLeases(views=store.collection("leases", WeightLease), holder=name)
    return WeightSwaps(loader=loader, leases=leases, merged=folder)


def begin(swaps: WeightSwaps, alias: str) -> tuple[Candidate, asyncio.Task[None]]:
    async def report(_deployment: Deployment, _replica: Replica, error: Exception | None) -> None:
        assert error is None

    made, pool = candidate(f"job-{alias}", suffix=alias), f"{BASE}@{alias}"
    deployment = Deployment(id=made.job_id, at=1.0, candidate=made)
    swaps.begin(pool, [Replica(URL, BASE, alias, up=True)], deployment, report)
    return made, swaps.tasks[pool]


@pytest.mark.parametrize("gateways", [1, 2])
async def test_weights_are_replaced_for_one_pool_at_a_time(tmp_path: Path, gateways: int) -> None:
    store, engine = MemoryStore("gateway"), Engine()
    all_swaps = [gateway(f"gateway-{n}", store, engine, tmp_path) for n in range(gateways)]
    old, running = begin(all_swaps[0], "first")
    await engine.begun.wait()
    # An administrator removes the first pool and gives its engine to another one.
    new, other = begin(all_swaps[-1], "second")
    await other
    assert engine.weights == ""
    engine.go_on.set()
    await running
    assert engine.weights == engine.marker == loaded_name(old)
    # The next round of the loop.
    _, other = begin(all_swaps[-1], "second")
    await other
    assert engine.weights == engine.marker == loaded_name(new)
