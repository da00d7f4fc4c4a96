"""`kill -9` of the gateway, of its engine, or of both, at random moments of swaps: each in a process of its own.

It takes minutes: `KILLS=20 pytest -s tests/integration/test_gateway_kills.py`. `SEED=…` repeats a run.
"""

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pytest
from safetensors.numpy import save_file

from services.gateway.domain.names import loaded_name
from shared.bus import Bus
from shared.cloudevents import Envelope
from shared.security import Keyring
from shared.settings import CommonSettings
from shared.store import Store
from tests.gateway import BASE, approved
from tests.integration.test_gateway_swaps import ALIAS, ASK, POOL, adapter
from tests.ports import free_port, wait_for_port
from tests.versioned_engine import CHAT
from tests.weights import MODULE

KILLS = int(os.environ.get("KILLS", "0"))
SEED = int(os.environ.get("SEED", str(time.time_ns() % 2**31)))
# What a caller may see while something is dead: it can come back.
RETRIABLE = {429, 502, 503}
RIGHT_WITHIN_S = 60.0


@dataclass
class Process:
    """One that is killed and started again on its port."""

    command: list[str]
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.running = subprocess.Popen(self.command, env={**os.environ, **self.environment}, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        assert self.running is not None
        self.running.kill()
        self.running.wait()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Process]:
    root, port = tmp_path / BASE, free_port()
    root.mkdir()
    save_file({f"{MODULE}.weight": np.zeros((8, 6), np.float32)}, root / "model.safetensors")
    made = Process([sys.executable, "-m", "tests.versioned_engine", str(port), str(root)], port)
    made.start()
    wait_for_port(port)
    yield made
    made.kill()


@asynccontextmanager
async def gateway(settings: CommonSettings, pools: str) -> AsyncIterator[Process]:
    port = free_port()
    environment = {
        "ASSAY_NATS_URL": settings.nats_url,
        "ASSAY_MONGO_URL": settings.mongo_url,
        "ASSAY_DATABASE_PREFIX": settings.database_prefix,
        "ASSAY_ARTIFACTS": settings.artifacts,
        "ASSAY_CACHE_DIR": str(settings.cache_dir),
        "ASSAY_KEYS_FILE": str(settings.keys_file),
        "GATEWAY_HTTP_PORT": str(port),
        "GATEWAY_ENGINES": pools,
        "GATEWAY_RECONCILE_S": "0.2",
    }
    made = Process([sys.executable, "-m", "services.gateway"], port, environment)
    made.start()
    try:
        yield made
    finally:
        made.kill()


@dataclass
class Load:
    """Callers that ask on and on; `names` are the weights of each version, and a wrong answer ends the test."""

    http: httpx.AsyncClient
    names: dict[str, str]
    newest: str = ""
    wrong: list[str] = field(default_factory=list)

    async def run(self) -> None:
        while True:
            with suppress(httpx.TransportError):
                self.look(await self.http.post(CHAT, json=ASK, timeout=30))
            await asyncio.sleep(0.01)

    def look(self, answer: httpx.Response) -> None:
        if answer.status_code != 200:
            if answer.status_code not in RETRIABLE:
                self.wrong.append(answer.text)
            return
        self.newest = answer.headers["x-assay-version"]
        said = set(answer.json()["choices"][0]["message"]["content"].split())
        if len(said) != 1 or self.names[self.newest] not in said.pop():
            self.wrong.append(f"{self.newest}: {answer.text}")

    async def until(self, version: str) -> None:
        deadline = time.monotonic() + RIGHT_WITHIN_S
        while self.newest != version and not self.wrong:
            assert time.monotonic() < deadline, f"{version} is not served after {RIGHT_WITHIN_S:g} s"
            await asyncio.sleep(0.02)


@pytest.mark.skipif(not KILLS, reason="takes minutes; KILLS=20 runs it")
@pytest.mark.timeout(120 + 30 * KILLS)
@pytest.mark.parametrize("pool", [BASE, POOL])
async def test_whatever_is_killed_in_a_swap_callers_get_whole_answers_of_the_old_or_the_new_version(
    bus_settings, engine, pool
) -> None:
    chance = random.Random(SEED)
    print(f"SEED={SEED}")
    store = Store(bus_settings.mongo_url, f"{bus_settings.database_prefix}test", "test")
    bus = Bus(bus_settings.nats_url, "test", store)
    await bus.start()
    key = Keyring(bus_settings.keys_file).create("test", ("infer",))
    pools = f'{{"{pool}": ["http://127.0.0.1:{engine.port}"]}}'
    async with (
        gateway(bus_settings, pools) as door,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{door.port}", headers={"authorization": f"Bearer {key}"}) as http,
    ):
        versions = [adapter(bus_settings, number) for number in range(KILLS + 1)]
        load = Load(http, {made.version: loaded_name(made) for made in versions})
        await asyncio.to_thread(wait_for_port, door.port, 30)
        await bus.publish(Envelope.of(approved(versions[0]), "test"))

        async def named() -> bool:
            answer = await http.get(f"/v1/models/{ALIAS}")
            return answer.status_code == 200

        async with asyncio.timeout(30):
            while not await named():
                await asyncio.sleep(0.05)
        callers = [asyncio.create_task(load.run()) for _ in range(8)]
        for number, made in enumerate(versions[1:]):
            await load.until(versions[number].version)
            await bus.publish(Envelope.of(approved(made), "test"))
            await asyncio.sleep(chance.uniform(0, 0.5))
            killed = chance.choice([(door,), (engine,), (door, engine)])
            for each in killed:
                each.kill()
            await asyncio.sleep(chance.uniform(0, 0.5))
            for each in killed:
                each.start()
            await load.until(made.version)
            assert load.wrong == []
        for task in callers:
            task.cancel()
    await bus.stop()
    store.close()
