"""Pools that several gateways change at the same moment."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

import pytest

from services.gateway.common.domain.errors import BadRequest, Missing
from services.gateway.console.service.engine_changes import EngineChanges
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.domain.pool import Pool
from services.gateway.serving.service.pools import Pools
from shared.store import MemoryStore
from shared.store.memory import MemoryDocuments

BASE, KEY = "base", "key_admin"
ENGINES = [f"http://e{number}:8000" for number in range(3)]


async def nowhere(_host: str, _port: int) -> Sequence[str]:
    return []


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> Pools:
    """Over a database that lets others in before each access: changes that begin together read the same state."""
    for name in ("get", "find", "insert", "replace"):
        monkeypatch.setattr(MemoryDocuments, name, _letting_others_in(getattr(MemoryDocuments, name)))
    views = MemoryStore("gateway").collection("pools", Pool)
    return Pools(views=views, fleet=Fleet({}), resolve=nowhere, seeds={}, max_lora_rank=16, changed=asyncio.Event())


def _letting_others_in(access: Any) -> Any:
    async def turned(*arguments: Any, **named: Any) -> Any:
        await asyncio.sleep(0)
        return await access(*arguments, **named)

    return turned


async def at_once(*changes: Awaitable[object]) -> None:
    await asyncio.gather(*changes)


async def replicas(pools: Pools) -> list[str]:
    return sorted(url for pool in await pools.listed() for url in pool.replicas)


async def test_engines_that_are_added_to_a_new_pool_at_once_are_all_in_it(pools: Pools) -> None:
    engines = EngineChanges(pools)
    await at_once(*(engines.add(BASE, url, KEY) for url in ENGINES))
    assert await replicas(pools) == ENGINES


async def test_an_engine_that_is_added_while_another_is_removed_stays(pools: Pools) -> None:
    engines = EngineChanges(pools)
    await pools.put(BASE, ENGINES[:2])
    await at_once(engines.remove(BASE, ENGINES[0], KEY), engines.add(BASE, ENGINES[2], KEY))
    assert await replicas(pools) == ENGINES[1:]


async def test_an_engine_that_is_not_in_the_pool_cannot_be_removed(pools: Pools) -> None:
    engines = EngineChanges(pools)
    with pytest.raises(Missing):
        await engines.remove(BASE, ENGINES[0], KEY)
    assert await pools.listed() == []
    await pools.put(BASE, ENGINES[:1])
    await pools.remove(BASE)
    with pytest.raises(Missing):
        await engines.remove(BASE, ENGINES[0], KEY)


async def test_an_engine_of_another_pool_cannot_be_added(pools: Pools) -> None:
    await pools.put(BASE, ENGINES[:1])
    with pytest.raises(BadRequest, match="belongs to the pool 'base'"):
        await EngineChanges(pools).add("other", ENGINES[0], KEY)


async def test_a_removed_pool_begins_anew_with_the_added_engine(pools: Pools) -> None:
    await pools.put(BASE, ENGINES[:1])
    await pools.remove(BASE)
    await EngineChanges(pools).add(BASE, ENGINES[1], KEY)
    assert await replicas(pools) == ENGINES[1:2]
