"""A cluster of three NATS servers in tests, one of which is killed while they run."""

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import nats
from nats.aio.client import Client
from nats.js import JetStreamContext

from shared import topology
from shared.consumers import CONSUMERS, EVENTS_STREAM, PROGRESS_STREAM
from shared.jetstream_readiness import when_ready
from shared.settings import CommonSettings
from tests.ports import free_port, wait_for_port

COPIES = 3
_WHOLE_S = 60.0
_FORGET_S = 0.1


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

    async def prepare(self, settings: CommonSettings) -> None:
        """Empty streams; the first time a server is killed then, so that all tests run on the other two."""
        first = len(self.processes) == COPIES
        if first:
            await self.whole()
        async with self._connected() as client:
            js = client.jetstream(timeout=30)
            if first or not await self._is_declared(client):
                await when_ready(lambda: topology.declare(js, settings))
            await when_ready(lambda: self._empty(js, settings))
            if first:
                self._kill(0)
                await self._elected(js)

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
        async with self._connected() as client:
            cluster = (await client.jetstream().stream_info(stream)).cluster
        assert cluster is not None
        self._kill(int((cluster.leader or "n0").removeprefix("n")))

    async def _is_declared(self, client: Client) -> bool:
        found: set[str] = set()
        for stream in (EVENTS_STREAM, PROGRESS_STREAM):
            answer = await client.request(f"$JS.API.CONSUMER.NAMES.{stream}", b"{}", timeout=10)
            found |= set(json.loads(answer.data).get("consumers", ()))
        return found >= {consumer.name for consumer in CONSUMERS}

    async def _empty(self, js: JetStreamContext, settings: CommonSettings) -> None:
        """Purge all streams: to make them and their consumers anew would take ten seconds and more."""
        events, buckets = (
            topology.streams(settings),
            (topology.keys_bucket(settings), topology.sessions_bucket(settings)),
        )
        # A purge alone does not forget the ids by which JetStream refuses an event that it has stored. A change of the
        # time for which they are kept may take effect only with the next change.
        for window_s in (_FORGET_S, _FORGET_S + 0.01):
            for stream in events:
                await js.update_stream(replace(stream, duplicate_window=window_s))
        await asyncio.sleep(2 * _FORGET_S)
        for stream in (*events, *buckets):
            await js.purge_stream(stream.name or "")
        for stream in events:
            await js.update_stream(stream)

    async def _elected(self, js: JetStreamContext) -> None:
        """Wait until every consumer has a leader again; those of streams and of the cluster come first."""
        for consumer in CONSUMERS:
            await when_ready(lambda each=consumer: js.consumer_info(each.stream, each.name, timeout=2), pause_s=0.2)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Client]:
        client = await nats.connect(self.url.split(","))
        try:
            yield client
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
