"""Servers in place of the laptop's: another MongoDB server, a cluster of NATS. CONTRIBUTING.md says how to use them."""

import asyncio
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import nats
from nats.errors import Error as NatsError

from tests.mongo_server import MongoServer
from tests.ports import free_port, wait_for_port

SECOND = Path(__file__).parents[1] / ".second" / "bin"
"""The environment of servers that only the tests use; `make second` makes it."""
_READY_S = 30.0


class SecantusServer(MongoServer):
    """SecantusDB: MongoDB's wire protocol over WiredTiger. It is GPL, so it is in an environment of the tests alone."""

    @property
    def command(self) -> list[str | Path]:
        return [SECOND / "secantusd-py", "--port", str(self.port), "--storage-path", self.folder / "data"]

    def start(self) -> None:
        if not (program := Path(self.command[0])).exists():
            raise FileNotFoundError(f"{program} is missing: run `make second`")
        super().start()


@dataclass
class NatsCluster:
    """Three servers with copies of every stream. `lose_one` kills another of them each time."""

    binary: Path
    folder: Path
    authorization: str = ""
    ports: list[int] = field(default_factory=lambda: [free_port() for _ in range(3)])
    routes: list[int] = field(default_factory=lambda: [free_port() for _ in range(3)])
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict[int, subprocess.Popen[bytes]])
    lost: int = -1

    @property
    def port(self) -> int:
        return self.ports[0]

    @property
    def url(self) -> str:
        return ",".join(f"nats://127.0.0.1:{port}" for port in self.ports)

    def start(self) -> None:
        """Start the servers that do not run."""
        for number in range(3):
            if number not in self.processes:
                self._start(number)
        for port in self.ports:
            wait_for_port(port)

    def kill(self) -> None:
        for number in list(self.processes):
            self._kill(number)

    def lose_one(self) -> None:
        """Kill the next server; the other two are a majority."""
        self.lost = (self.lost + 1) % 3
        self._kill(self.lost)

    async def ready(self) -> None:
        """Start what was lost, and wait until three servers can hold copies of a stream."""
        self.start()
        deadline = time.monotonic() + _READY_S
        while True:
            try:
                await self._try_stream()
            except (NatsError, OSError, TimeoutError):
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.3)
            else:
                return

    async def _try_stream(self) -> None:
        client = await nats.connect(self.url.split(","), max_reconnect_attempts=1)
        try:
            js = client.jetstream(timeout=5)
            await js.add_stream(name="TRIED", subjects=["tried"], num_replicas=3)
            await js.delete_stream("TRIED")
        finally:
            await client.close()

    def _start(self, number: int) -> None:
        folder = self.folder / str(number)
        folder.mkdir(exist_ok=True)
        peers = ", ".join(f'"nats-route://127.0.0.1:{route}"' for route in self.routes)
        config = folder / "nats.conf"
        config.write_text(
            f'{self.authorization}server_name: "n{number}"\nlisten: "127.0.0.1:{self.ports[number]}"\n'
            f'jetstream {{ store_dir: "{folder}/js", sync_interval: always, max_file_store: 16GB }}\n'
            f'cluster {{ name: "tests", listen: "127.0.0.1:{self.routes[number]}", routes: [{peers}] }}\n'
        )
        with (folder / "log").open("ab") as log:
            self.processes[number] = subprocess.Popen([self.binary, "-c", config], stdout=log, stderr=log)

    def _kill(self, number: int) -> None:
        process = self.processes.pop(number)
        process.kill()
        process.wait()


def chosen(name: str) -> str:
    """The server that the environment chooses, such as `ASSAY_TEST_NATS=cluster`; empty for the laptop's."""
    return os.environ.get(f"ASSAY_TEST_{name}", "")
