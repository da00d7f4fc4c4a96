"""Pools that are read and changed at the same time, by one gateway or by two."""

import asyncio
from contextvars import ContextVar
from typing import Any

import pytest

from services.gateway.common.domain.errors import BadRequest
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.domain.pool import Pool
from services.gateway.serving.service.pools import Pools
from shared.store import MemoryStore
from tests.gateway import BASE

ENGINE = "http://engine:8000"


class SlowNames:
    """The first look-up of a host waits until the test lets it go on."""

    def __init__(self) -> None:
        self.asked, self.answers = asyncio.Event(), asyncio.Event()

    async def __call__(self, _host: str, _port: int) -> list[str]:
        if not self.asked.is_set():
            self.asked.set()
            await self.answers.wait()
        return ["10.0.0.1"]


class InStep(Pools):
    """Gateways that have all read the pools before one of them writes."""

    async def listed(self) -> list[Pool]:
        found = await super().listed()
        if not self.addresses:
            self.addresses["read once"] = []
            await BARRIER.get().wait()
        return found


BARRIER = ContextVar[asyncio.Barrier]("barrier")


def pools(store: MemoryStore, resolve: Any = None, kind: type[Pools] = Pools) -> Pools:
    return kind(
        views=store.collection("pools", Pool, few=True),
        fleet=Fleet({}),
        resolve=resolve,
        seeds={},
        max_lora_rank=16,
        changed=asyncio.Event(),
    )


async def test_a_pool_that_was_read_before_a_change_does_not_replace_the_change() -> None:
    names = SlowNames()
    use_cases = pools(MemoryStore("gateway"), names)
    await use_cases.views.create(Pool(id=BASE, at=1.0, replicas=["dns+http://engines:8000"]))
    round_of_the_loop = asyncio.create_task(use_cases.arrange())
    await names.asked.wait()
    change = asyncio.create_task(use_cases.put("other", [ENGINE]))
    await asyncio.sleep(0)
    names.answers.set()
    await asyncio.gather(round_of_the_loop, change)
    urls = {base: [replica.url for replica in some] for base, some in use_cases.fleet.pools.items()}
    assert urls == {BASE: ["http://10.0.0.1:8000"], "other": [ENGINE]}


@pytest.mark.parametrize("known", [[], ["http://before:8000"]])
async def test_an_engine_that_is_given_to_two_pools_at_once_belongs_to_one_at_most(known: list[str]) -> None:
    store = MemoryStore("gateway")
    BARRIER.set(asyncio.Barrier(2))
    here, there = pools(store, kind=InStep), pools(store, kind=InStep)
    if known:
        await here.views.create(Pool(id=BASE, at=1.0, replicas=known))
    results = await asyncio.gather(
        here.put(BASE, [ENGINE]), there.put(f"{BASE}@address", [ENGINE]), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, BadRequest)]
    assert {result.code for result in refused} == {"engine_taken"}
    kept = {pool.id: pool.replicas for pool in await here.views.find(removed=False)}
    assert list(kept.values()).count([ENGINE]) == 2 - len(refused)
    if known and results[0] in refused:
        assert kept[BASE] == known


class TakenMeanwhile(Pools):
    """While a change of the pool is being written, something else happens."""

    meanwhile: Any = None

    async def listed(self) -> list[Pool]:
        found = await super().listed()
        if (happens := TakenMeanwhile.meanwhile) is not None:
            TakenMeanwhile.meanwhile = None
            await happens()
        return found


async def test_a_change_that_is_taken_back_restores_no_engine_that_another_pool_has_by_now() -> None:
    store = MemoryStore("gateway")
    here, there = pools(store, kind=TakenMeanwhile), pools(store)
    await here.views.create(Pool(id=BASE, at=1.0, replicas=["http://old:8000"]))

    async def other_pool_takes_both() -> None:
        await there.views.create(Pool(id="other", at=2.0, replicas=[ENGINE, "http://old:8000"]))

    TakenMeanwhile.meanwhile = other_pool_takes_both
    with pytest.raises(BadRequest, match="belongs to the pool 'other'"):
        await here.put(BASE, [ENGINE])
    assert {pool.id: pool.replicas for pool in await there.listed()} == {
        BASE: [],
        "other": [ENGINE, "http://old:8000"],
    }
