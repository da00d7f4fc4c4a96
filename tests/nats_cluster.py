"""A cluster of three NATS servers in tests, one of which is killed while they run."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import nats
from nats.js import JetStreamContext

from shared import topology
from shared.consumers import CONSUMERS
from shared.jetstream_readiness import when_ready
from shared.settings import CommonSettings
from tests.ports import free_port, wait_for_port

COPIES = 3
_WHOLE_S = 60.0


def _ports() -> list[int]:
    return [free_port() for _ in range(COPIES)]


@dataclass
class NatsCluster:
    """Three servers with copies of every stream and consumer; at most one of them is lost at a time."""

    binary: Path
    folder: Path
    ports: list[int] = field(default_factory=_ports)
    routes: list[int] = field(default_factory=_ports)
    monitors: list[int] = field(default_factory=_ports)
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict[int, subprocess.Popen[bytes]])
    lost: int = -1
    module: str = ""
    """The file of tests for which a server was lost."""

    @property
    def url(self) -> str:
        return ",".join(f"nats://127.0.0.1:{port}" for port in self.ports)

    def start(self) -> None:
        """Start the servers that do not run."""
        for number in range(COPIES):
            if number not in self.processes:
                self._start(number)
        for port in self.ports:
            wait_for_port(port)

    def kill(self) -> None:
        for number in list(self.processes):
            self._kill(number)

    async def prepare(self, settings: CommonSettings, module: str) -> None:
        """Empty streams, and a server that was killed for this file of tests, another one for each file."""
        changes = module != self.module
        if changes:
            await self.whole()
        async with self._jetstream() as js:
            await self._empty(js, settings)
            if changes:
                self.lost = (self.lost + 1) % COPIES
                self._kill(self.lost)
                await self._elected(js)
        self.module = module

    async def whole(self) -> None:
        """Start what was lost, and wait until all copies of all streams and consumers are the same."""
        self.start()
        deadline = time.monotonic() + _WHOLE_S
        async with httpx.AsyncClient() as http:
            for monitor in self.monitors:
                while (answer := await http.get(f"http://127.0.0.1:{monitor}/healthz")).status_code != 200:
                    if time.monotonic() > deadline:
                        raise TimeoutError(f"the cluster is not whole: {answer.text}")
                    await asyncio.sleep(0.2)

    async def lose_leader(self, stream: str) -> None:
        """Kill the server that leads a stream. The cluster must be whole before."""
        async with self._jetstream() as js:
            cluster = (await js.stream_info(stream)).cluster
        assert cluster is not None
        self.lost = int((cluster.leader or "n0").removeprefix("n"))
        self._kill(self.lost)

    async def _empty(self, js: JetStreamContext, settings: CommonSettings) -> None:
        """Declare what is missing, and purge the rest: making all consumers anew would take ten seconds and more."""
        await when_ready(lambda: topology.declare(js, settings))
        for stream in (*topology.streams(settings), topology.keys_bucket(settings), topology.sessions_bucket(settings)):
            await when_ready(lambda name=stream.name or "": js.purge_stream(name))

    async def _elected(self, js: JetStreamContext) -> None:
        """Wait until every consumer has a leader again; those of streams and of the cluster come first."""
        for consumer in CONSUMERS:
            await when_ready(lambda each=consumer: js.consumer_info(each.stream, each.name, timeout=2), pause_s=0.2)

    @asynccontextmanager
    async def _jetstream(self) -> AsyncIterator[JetStreamContext]:
        client = await nats.connect(self.url.split(","))
        try:
            yield client.jetstream(timeout=30)
        finally:
            await client.close()

    def _start(self, number: int) -> None:
        folder = self.folder / str(number)
        folder.mkdir(exist_ok=True)
        peers = ", ".join(f'"nats-route://127.0.0.1:{route}"' for route in self.routes)
        config = folder / "nats.conf"
        # What a killed process has written is not lost, so the disk need not be waited for.
        config.write_text(
            f'server_name: "n{number}"\nlisten: "127.0.0.1:{self.ports[number]}"\n'
            f'http: "127.0.0.1:{self.monitors[number]}"\n'
            f'jetstream {{ store_dir: "{folder}/js", max_file_store: 16GB }}\n'
            f'cluster {{ name: "tests", listen: "127.0.0.1:{self.routes[number]}", routes: [{peers}] }}\n'
        )
        with (folder / "log").open("ab") as log:
            self.processes[number] = subprocess.Popen([self.binary, "-c", config], stdout=log, stderr=log)

    def _kill(self, number: int) -> None:
        process = self.processes.pop(number)
        process.kill()
        process.wait()
