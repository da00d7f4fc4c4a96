"""`kill -9` of a gateway, its engine, or both, at random moments of swaps; each runs in a separate process."""

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from shared.bus import Bus
from shared.cloudevents import Envelope
from shared.events import Candidate
from shared.security import Keyring
from shared.settings import CommonSettings
from shared.store import Store
from tests.gateway import approved, eventually
from tests.ports import free_port
from tests.process import Process, environment_of
from tests.versioned_engine import CHAT

# What a caller may see while something is dead: it can come back.
RETRIABLE = {429, 502, 503}
RIGHT_WITHIN_S = 60.0
CALLERS = 8
# Until somebody who got no answer asks again.
AGAIN_S = 0.1


@dataclass(frozen=True)
class Replica:
    """An engine, and versions that can be told apart by their answers."""

    process: Process
    pool: str
    asked: dict[str, Any]
    make: Callable[[int], Candidate]
    is_of: Callable[[str, Candidate], bool]
    """Whether the complete text is an answer of that version."""
    swap_s: float
    """The approximate duration of a swap; kills happen within it."""
    gateway: dict[str, str] = field(default_factory=dict)
    """Settings of the gateway for this engine."""


@dataclass
class Load:
    """Callers that send requests all the time, and the wrong answers that they got."""

    http: httpx.AsyncClient
    replica: Replica
    versions: dict[str, Candidate]
    newest: str = ""
    answers: int = 0
    wrong: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            callers = [group.create_task(self.call()) for _ in range(CALLERS)]
            yield
            for caller in callers:
                caller.cancel()

    async def call(self) -> None:
        while True:
            answered = False
            with suppress(httpx.TransportError):
                answered = self.look(await self.http.post(CHAT, json=self.replica.asked, timeout=30))
            await asyncio.sleep(0.01 if answered else AGAIN_S)

    def look(self, answer: httpx.Response) -> bool:
        if answer.status_code != 200:
            if answer.status_code not in RETRIABLE:
                self.wrong.append(answer.text)
            return False
        self.newest, self.answers = answer.headers["x-assay-version"], self.answers + 1
        said = answer.json()["choices"][0]["message"]["content"]
        if not self.replica.is_of(said, self.versions[self.newest]):
            self.wrong.append(f"{self.newest}: {answer.text}")
        return True

    async def until(self, version: str) -> None:
        deadline = time.monotonic() + RIGHT_WITHIN_S
        while self.newest != version and not self.wrong:
            assert time.monotonic() < deadline, f"{version} is not served after {RIGHT_WITHIN_S:g} s"
            await asyncio.sleep(0.02)


async def in_swaps(settings: CommonSettings, replica: Replica, kills: int, chance: random.Random) -> None:
    """Kill that often during swaps; each answer comes from the version it names, and the new one is served in time."""
    store = Store(settings.mongo_url, f"{settings.database_prefix}test", "test")
    bus = Bus(settings.nats_url, "test", store)
    await bus.start()
    versions = [replica.make(number) for number in range(kills + 1)]
    async with _gateway(settings, replica) as door, _caller(settings, door) as http:
        load = Load(http, replica, {made.version: made for made in versions})
        await bus.publish(Envelope.of(approved(versions[0]), "test"))
        # Before that, the name does not exist.
        await eventually(lambda: _named(http, replica.asked["model"]), RIGHT_WITHIN_S)
        async with load.running():
            await load.until(versions[0].version)
            for made in versions[1:]:
                await bus.publish(Envelope.of(approved(made), "test"))
                await asyncio.sleep(chance.uniform(0, replica.swap_s))
                before = load.newest
                killed = chance.choice([(door,), (replica.process,), (door, replica.process)])
                await _killed_and_back(killed, chance)
                back_at = time.monotonic()
                await load.until(made.version)
                assert not load.wrong, load.wrong[:3]
                print(
                    f"killed {' and '.join('gateway' if each is door else 'engine' for each in killed)}",
                    "after the swap," if before == made.version else "before the new version answered,",
                    f"which did {time.monotonic() - back_at:.1f} s after the return; {load.answers} answers",
                )
    await bus.stop()
    store.close()


async def _named(http: httpx.AsyncClient, name: str) -> bool:
    return (await http.get(f"/v1/models/{name}")).status_code == 200


async def _killed_and_back(killed: Sequence[Process], chance: random.Random) -> None:
    for each in killed:
        each.kill()
    await asyncio.sleep(chance.uniform(0, 0.5))
    for each in killed:
        each.start()
    for each in killed:
        await asyncio.to_thread(each.wait)


@asynccontextmanager
async def _gateway(settings: CommonSettings, replica: Replica) -> AsyncIterator[Process]:
    port = free_port()
    environment = {
        **environment_of(settings),
        "GATEWAY_HTTP_PORT": str(port),
        "GATEWAY_ENGINES": f'{{"{replica.pool}": ["http://127.0.0.1:{replica.process.port}"]}}',
        **replica.gateway,
    }
    made = Process([sys.executable, "-m", "services.gateway"], port, environment)
    made.start()
    try:
        await asyncio.to_thread(made.wait)
        yield made
    finally:
        made.kill()


def _caller(settings: CommonSettings, door: Process) -> httpx.AsyncClient:
    key = Keyring(settings.keys_file).create("test", ("infer",))
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{door.port}", headers={"authorization": f"Bearer {key}"})
