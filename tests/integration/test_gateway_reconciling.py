"""The reconcile loop isolates replicas and pools, and a gateway may run some parts only."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.service.weight_leases import WeightLeases
from shared.settings import CommonSettings
from tests.gateway import BASE, Gateway, eventually, running
from tests.integration.test_gateway_posting import job_of
from tests.integration.test_gateway_swaps import ALIAS, adapter, ask, deploy
from tests.versioned_engine import Engine
from tests.weights import MODULE

HTML = b"<html>a proxy's start page</html>"
LOAD = "/v1/load_lora_adapter"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / BASE
    folder.mkdir()
    save_file({f"{MODULE}.weight": np.zeros((8, 6), np.float32)}, folder / "model.safetensors")
    return folder


@asynccontextmanager
async def web_page() -> AsyncIterator[str]:
    """The URL of a server that answers every path with 200 and a web page."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
        writer.write(head % len(HTML) + HTML)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def engines(root: Path, count: int) -> AsyncIterator[list[Engine]]:
    made = [Engine(root) for _ in range(count)]
    for engine in made:
        await engine.start()
    try:
        yield made
    finally:
        for engine in made:
            assert engine.server is not None
            engine.server.close()


async def pool_report(gateway: Gateway) -> dict[str, str]:
    """The reason of each engine that is not up, by URL."""
    async with gateway.http("admin") as http:
        pools = (await http.get("/v1/pools")).json()["data"]
    return {engine["url"]: engine["reason"] for pool in pools for engine in pool["engines"] if engine["reason"]}


async def test_a_replica_that_answers_with_a_web_page_stops_no_other_pool(
    bus_settings: CommonSettings, root: Path
) -> None:
    async with (
        engines(root, 1) as [good],
        web_page() as page,
        running(bus_settings, [good.url]) as gateway,
        gateway.http("admin", "infer") as http,
    ):
        assert (await http.put("/v1/pools/other-model", json={"replicas": [page]})).status_code == 200
        version = adapter(bus_settings, 1)
        await deploy(gateway, version)
        assert (await ask(http))[0] == version.version
        assert "does not answer like vLLM" in (await pool_report(gateway))[page]


async def test_a_wrong_replica_beside_good_ones_in_a_pool_is_reported_and_left_out(
    bus_settings: CommonSettings, root: Path
) -> None:
    async with (
        engines(root, 1) as [good],
        web_page() as page,
        running(bus_settings, [page, good.url]) as gateway,
        gateway.http("infer") as http,
    ):
        version = adapter(bus_settings, 1)
        await deploy(gateway, version)
        assert (await ask(http))[0] == version.version
        assert page in await pool_report(gateway)


async def test_a_replica_that_refuses_a_version_does_not_fail_it_for_the_others(
    bus_settings: CommonSettings, root: Path
) -> None:
    async with engines(root, 3) as [one, two, three]:
        three.fails.add(LOAD)
        urls = [engine.url for engine in (one, two, three)]
        async with running(bus_settings, urls) as gateway, gateway.http("admin", "infer") as http:
            version = adapter(bus_settings, 1).model_copy(update={"job_id": await job_of(gateway)})
            await deploy(gateway, version)
            report = (await http.get(f"/v1/fine_tuning/jobs/{version.job_id}/report")).json()
            assert list(report["replicas_without_it"]) == [three.url]
            for _ in range(6):
                answered, weights = await ask(http)
                assert answered == version.version
                assert len(weights) == 1
            three.fails.clear()

            async def loaded() -> bool:
                return bool(three.adapters)

            await eventually(loaded)


async def test_a_version_that_most_replicas_refuse_is_not_deployed(bus_settings: CommonSettings, root: Path) -> None:
    async with engines(root, 3) as made:
        for engine in made[1:]:
            engine.fails.add(LOAD)
        async with running(bus_settings, [engine.url for engine in made]) as gateway, gateway.http("infer") as http:
            version = adapter(bus_settings, 1)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(3):
                    await deploy(gateway, version)
            names = [model["id"] for model in (await http.get("/v1/models")).json()["data"]]
            assert ALIAS not in names


async def test_a_gateway_with_the_inference_part_alone_answers_with_what_others_serve(
    bus_settings: CommonSettings, root: Path
) -> None:
    async with (
        engines(root, 1) as [engine],
        running(bus_settings, [engine.url]) as whole,
        running(bus_settings, [engine.url], parts=("inference",)) as reader,
        reader.http("admin", "infer") as http,
    ):
        version = adapter(bus_settings, 1)
        await deploy(whole, version)

        async def named() -> bool:
            return ALIAS in [model["id"] for model in (await http.get("/v1/models")).json()["data"]]

        await eventually(named)
        assert engine.steps.count(LOAD) == 1, "only the gateway with the serving part loads"
        assert (await ask(http))[0] == version.version
        assert (await http.get("/v1/files")).status_code == 404
        assert (await http.post(f"/v1/models/{ALIAS}/rollback")).status_code == 405


async def test_a_gateway_that_follows_answers_as_soon_as_a_name_has_moved(
    bus_settings: CommonSettings, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its look at the engines takes time, and its names move before that."""
    look_around, follows = WeightLeases.look_around, ContextVar("follows", default=False)

    async def slow_in_the_follower(leases: WeightLeases, fleet: Fleet) -> None:
        await asyncio.sleep(1 if follows.get() else 0)
        await look_around(leases, fleet)

    monkeypatch.setattr(WeightLeases, "look_around", slow_in_the_follower)
    async with engines(root, 1) as [engine], running(bus_settings, [engine.url]) as whole:
        follows.set(True)
        async with (
            running(bus_settings, [engine.url], parts=("inference",)) as reader,
            reader.http("admin", "infer") as http,
        ):
            for number in range(1, 5):
                made = adapter(bus_settings, number)
                await deploy(whole, made)

                async def moved(version: str = made.version) -> bool:
                    return (await http.get(f"/v1/models/{ALIAS}")).json().get("root") == version

                await eventually(moved)
                assert (await ask(http))[0] == made.version
