"""All processes of the line on free ports: NATS, the laptop's MongoDB, an engine, and the services.

Each service connects to NATS as its own user.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

import httpx
import nats
import psutil

from shared import topology
from shared.nats_users import OPERATOR, USERS, authorization
from shared.security import Keyring, Scope
from shared.settings import CommonSettings
from tests.chaos.small_disk import SmallDisk
from tests.conftest import NatsServer
from tests.gateway import BASE
from tests.mongo_server import MongoServer
from tests.ports import free_port
from tests.process import Process, environment_of

_DISK_MIB = 128
EARLIER = "earlier "
"""What the name of a service of the earlier version begins with."""
SERVICES = ("ingest", "evaluator", "review", "gateway")


class Program(Protocol):
    """A process of the line; `start` after `kill` brings it back with its data."""

    process: object

    def start(self) -> None: ...

    def kill(self) -> None: ...


@dataclass(frozen=True)
class Line:
    """`programs` are by name; `services` are those of them that are services of either version."""

    folder: Path
    settings: CommonSettings
    programs: dict[str, Program]
    services: dict[str, Process]
    disk: SmallDisk
    keys: dict[tuple[Scope, ...], str] = field(default_factory=dict[tuple[Scope, ...], str])

    @property
    def artifacts(self) -> Path:
        return Path(self.settings.artifacts)

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.services[service].port}"

    def client(self, service: str, *scopes: Scope) -> httpx.AsyncClient:
        """A client of one service; those with the same scopes have one key, so that names stay theirs."""
        if scopes not in self.keys:
            self.keys[scopes] = Keyring(self.settings.keys_file).create("chaos", scopes)
        headers = {"authorization": f"Bearer {self.keys[scopes]}"}
        return httpx.AsyncClient(base_url=self.url(service), headers=headers, timeout=10)


def make(folder: Path, base_model: Path | None, earlier: Path | None = None) -> Line:
    """The line, not started.

    With `base_model`, a folder, the trainer runs too; without, the load plays its part. With `earlier`, a checkout of
    an earlier version, each service also runs in that version.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("nats", "mongo"):
        (folder / name).mkdir()
    disk = SmallDisk(folder / "disk", _DISK_MIB)
    nats_server, mongo = NatsServer(free_port(), folder / "nats"), MongoServer(free_port(), folder / "mongo")
    nats_server.authorization = authorization({user: _password(user) for user in USERS})
    settings = CommonSettings(
        nats_url=_url_of(nats_server, OPERATOR),
        mongo_url=mongo.url,
        artifacts=str(disk.folder / "artifacts"),
        cache_dir=folder / "cache",
        keys_file=folder / "keys.json",
    )
    engine_port = free_port()
    engine = Process([sys.executable, "-m", "tests.chaos.engine", str(engine_port)], engine_port)
    names = SERVICES if base_model is None else (*SERVICES, "trainer")
    own = _settings_of_services(f"http://127.0.0.1:{engine_port}", base_model)
    services: dict[str, Process] = {}
    for name in names:
        variables = {"ASSAY_NATS_URL": _url_of(nats_server, name), **own.get(name, {})}
        services[name] = _service(name, settings, folder / f"{name}.log", variables)
        if earlier is not None:
            services[f"{EARLIER}{name}"] = _service(name, settings, folder / f"{EARLIER}{name}.log", variables, earlier)
    return Line(folder, settings, {"nats": nats_server, "mongo": mongo, "engine": engine, **services}, services, disk)


@asynccontextmanager
async def started(line: Line) -> AsyncIterator[Line]:
    """The line with declared streams, all services ready; in the end everything is killed."""
    line.disk.mount()
    line.artifacts.mkdir()
    try:
        for program in line.programs.values():
            program.start()
            if isinstance(program, NatsServer):
                await _declare(line.settings)
        await asyncio.gather(*(_ready(line.url(name)) for name in line.services))
        yield line
    finally:
        # A fault that was cut short may still be starting a process in a thread.
        await asyncio.get_running_loop().shutdown_default_executor()
        _kill_all(line)
        line.disk.unmount()


def _kill_all(line: Line) -> None:
    """Kill all programs and their workers, which do not end by themselves while they are suspended."""
    started = [program for program in reversed(line.programs.values()) if program.process is not None]
    workers: list[psutil.Process] = []
    for program in started:
        with suppress(psutil.NoSuchProcess):
            workers += psutil.Process(cast(Any, program.process).pid).children(recursive=True)
    for program in started:
        program.kill()
    for worker in workers:
        with suppress(psutil.NoSuchProcess):
            worker.kill()


def _settings_of_services(engine_url: str, base_model: Path | None) -> dict[str, dict[str, str]]:
    base_models = json.dumps({BASE: str(base_model)} if base_model else {})
    return {
        "evaluator": {"EVALUATOR_ENGINE_URL": engine_url, "EVALUATOR_LEASE_S": "6"},
        "gateway": {"GATEWAY_ENGINES": json.dumps({BASE: [engine_url]}), "GATEWAY_RECONCILE_S": "0.5"},
        "trainer": {"TRAINER_BASE_MODELS": base_models, "TRAINER_THREADS": "1"},
    }


def _service(
    name: str, settings: CommonSettings, log: Path, own: dict[str, str], checkout: Path | None = None
) -> Process:
    port = free_port()
    environment = {**environment_of(settings), f"{name.upper()}_HTTP_PORT": str(port), "HF_HUB_OFFLINE": "1", **own}
    command = [sys.executable, "-m", f"services.{name}"]
    return Process(command, port, environment, start_s=60, log=log, folder=checkout)


def _password(user: str) -> str:
    return f"password-of-{user}"


def _url_of(server: NatsServer, user: str) -> str:
    return f"nats://{user}:{_password(user)}@127.0.0.1:{server.port}"


async def _declare(settings: CommonSettings) -> None:
    client = await nats.connect(settings.nats_url)
    await topology.declare(client.jetstream(timeout=30), settings)
    await client.close()


async def _ready(url: str, timeout_s: float = 90) -> None:
    async with asyncio.timeout(timeout_s), httpx.AsyncClient() as client:
        while not await is_ready(client, url):
            await asyncio.sleep(0.2)


async def is_ready(client: httpx.AsyncClient, url: str) -> bool:
    """Whether the service answers that it can work."""
    try:
        return (await client.get(f"{url}/readyz", timeout=5)).status_code == 200
    except httpx.TransportError:
        return False
