"""Pools changed while gateways run: over real NATS, MongoDB and DNS, and engines that are not there."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from shared.settings import CommonSettings
from tests.gateway import BASE, Gateway, eventually, running
from tests.ports import free_port


def nowhere() -> str:
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def seed() -> str:
    return nowhere()


@pytest.fixture
async def gateway(bus_settings: CommonSettings, seed: str) -> AsyncIterator[Gateway]:
    async with running(bus_settings, [seed]) as gateway:
        yield gateway


async def pools(http: httpx.AsyncClient) -> dict[str, Any]:
    return {pool["id"]: pool for pool in (await http.get("/v1/pools")).json()["data"]}


async def test_a_pool_comes_changes_and_goes_for_every_gateway_and_after_a_restart(gateway, bus_settings, seed) -> None:
    other = "org/other-model:v1"
    first, second, third = nowhere(), nowhere(), nowhere()
    async with (
        running(bus_settings, [seed]) as another,
        another.http("admin", "infer") as there,
        gateway.http("admin", "infer") as here,
    ):
        made = await here.put(f"/v1/pools/{other}", json={"replicas": [f"{first}/", second, first]})
        assert made.status_code == 200, made.text
        assert made.json()["replicas"] == [first, second]
        assert {engine["state"] for engine in made.json()["engines"]} == {"down"}
        assert (await here.put(f"/v1/pools/{BASE}", json={"replicas": [third]})).status_code == 200

        async def seen() -> bool:
            found = await pools(there)
            urls = {base: [engine["url"] for engine in pool["engines"]] for base, pool in found.items()}
            return urls == {BASE: [third], other: [first, second]}

        async def callable_by_name() -> bool:
            return (await there.get(f"/v1/models/{other}")).status_code == 200

        await eventually(seen)
        # The other gateway takes up a pool first, then reads again what all names mean.
        await eventually(callable_by_name)
        assert (await here.delete(f"/v1/pools/{other}")).json()["deleted"] is True
        assert (await here.delete(f"/v1/pools/{other}")).status_code == 404

        async def gone() -> bool:
            return (await there.get(f"/v1/models/{other}")).status_code == 404

        await eventually(gone)
    async with running(bus_settings, [seed]) as later, later.http("admin") as http:
        assert (await pools(http))[BASE]["replicas"] == [third]
    async with running(bus_settings, [second]) as changed, changed.http("admin") as http:
        # Whoever changes the settings wants them followed.
        assert (await pools(http))[BASE]["replicas"] == [second]


async def test_replicas_are_found_by_a_hosts_addresses_and_an_unknown_host_is_no_failure(gateway) -> None:
    port = free_port()
    async with gateway.http("admin") as http:
        asked = {"replicas": [f"dns+http://localhost:{port}", "dns+http://no-such-host.invalid:1"]}
        made = (await http.put(f"/v1/pools/{BASE}", json=asked)).json()
        urls = {engine["url"] for engine in made["engines"]}
        assert f"http://127.0.0.1:{port}" in urls
        assert urls <= {f"http://127.0.0.1:{port}", f"http://[::1]:{port}"}


async def test_what_is_no_pool_is_refused(gateway) -> None:
    wrong: list[Any] = [
        {},
        {"replicas": "http://a"},
        {"replicas": ["file:///etc/passwd"]},
        {"replicas": ["http://a/pause?mode=abort"]},
        {"replicas": [f"http://a{n}" for n in range(300)]},
        {"replicas": [], "mode": "nonsense"},
        {"replicas": [], "more": 1},
        [],
    ]
    async with gateway.http("admin") as http:
        for body in wrong:
            answer = await http.put(f"/v1/pools/{BASE}", json=body)
            assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error"), body
        assert (await http.put("/v1/pools/", json={"replicas": []})).status_code in (404, 405)
        assert (await http.put("/v1/pools/%2e%2e/x", json={"replicas": []})).status_code in (400, 404)


async def test_only_administrators_see_or_change_pools(gateway) -> None:
    async with gateway.http("infer", "train", "review") as http:
        tries = await asyncio.gather(
            http.get("/v1/pools"), http.put("/v1/pools/x", json={"replicas": []}), http.delete(f"/v1/pools/{BASE}")
        )
    assert [answer.status_code for answer in tries] == [403, 403, 403]
