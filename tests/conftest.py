"""Real servers for tests, each on a free port and in a separate folder."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
import nats
import pytest
from hypothesis import HealthCheck, settings

from shared import topology
from shared.security import Keyring
from shared.settings import CommonSettings
from shared.store.indexes import Indexes
from tests.local_stack import adapters, base_model, engine, local_settings, local_stack, make_adapter, say
from tests.mongo_server import MongoServer
from tests.nats_cluster import COPIES, NatsCluster
from tests.other_servers import SecantusServer, chosen
from tests.ports import free_port, wait_for_port
from tests.scheduling import SharedProcessScheduling, place
from tests.seaweed_server import SeaweedServer

__all__ = ["adapters", "base_model", "engine", "local_settings", "local_stack", "make_adapter", "say"]

BIN = Path(sys.executable).parent
# Read before a test clears the environment of `ASSAY_` variables.
MONGO, MONGO_URL, NATS, S3 = chosen("MONGO"), chosen("MONGO_URL"), chosen("NATS"), chosen("S3")
BUCKET = "assay"

# A busy machine is slow; that is not a fault of the code under test.
settings.register_profile("assay", deadline=None, suppress_health_check=[HealthCheck.too_slow])
if "CI" not in os.environ:
    settings.load_profile("assay")


# A query of a service that no declared index serves is an error in every test.
Indexes.enforced = True


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SharedProcessScheduling:
    return SharedProcessScheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=place)
    # With another server only the tests that use it.
    others = {"nats_server": NATS, "mongo_url": MONGO or MONGO_URL, "s3_url": S3}
    wanted = {name for name, other in others.items() if other}
    left_out = [item for item in items if wanted and not wanted & set(getattr(item, "fixturenames", ()))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@dataclass
class NatsServer:
    """A real nats-server that can be killed and started again over the same store."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    authorization: str = ""
    """The block of that name in the configuration; empty lets everybody do everything."""

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        config = self.folder / "nats.conf"
        config.write_text(
            f'{self.authorization}listen: "127.0.0.1:{self.port}"\n'
            f'jetstream {{ store_dir: "{self.folder}/js", sync_interval: always, max_file_store: 2GB }}\n'
        )
        self.process = subprocess.Popen([BIN / "nats-server", "-c", config], stderr=subprocess.DEVNULL)
        wait_for_port(self.port)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer | NatsCluster]:
    folder = tmp_path_factory.mktemp("nats")
    server = NatsCluster(BIN / "nats-server", folder) if NATS == "cluster" else NatsServer(free_port(), folder)
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def mongo_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if MONGO_URL:
        yield MONGO_URL
        return
    kind = SecantusServer if MONGO == "secantus" else MongoServer
    server = kind(free_port(), tmp_path_factory.mktemp("mongo"))
    server.start()
    yield server.url
    server.kill()


@pytest.fixture(scope="session")
def s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a bucket; empty where artifacts are in a folder."""
    if S3 != "seaweedfs":
        yield ""
        return
    server = SeaweedServer(tmp_path_factory.mktemp("s3"))
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        patch.setattr(sys, "path", [*sys.path, server.packages])
        fsspec.filesystem("s3").mkdir(BUCKET)
        yield f"s3://{BUCKET}"
    server.kill()


@pytest.fixture
def common(tmp_path: Path, mongo_url: str, s3_url: str, monkeypatch: pytest.MonkeyPatch) -> CommonSettings:
    """Settings with separate databases, artifacts and keys for each test. NATS is not started."""
    for name in [name for name in os.environ if name.startswith("ASSAY_")]:
        monkeypatch.delenv(name)
    (tmp_path / "artifacts").mkdir()
    prefix = f"t{uuid4().hex[:10]}_"
    return CommonSettings(
        mongo_url=mongo_url,
        database_prefix=prefix,
        artifacts=f"{s3_url}/{prefix}" if s3_url else str(tmp_path / "artifacts"),
        cache_dir=tmp_path / "cache",
        keys_file=tmp_path / "keys.json",
    )


@pytest.fixture
async def bus_settings(common: CommonSettings, nats_server: NatsServer | NatsCluster) -> CommonSettings:
    """Settings that also name a NATS server whose streams are declared and empty. Of a cluster, two servers run."""
    settings = common.model_copy(update={"nats_url": nats_server.url})
    if isinstance(nats_server, NatsCluster):
        settings = settings.model_copy(update={"event_replicas": COPIES})
        await nats_server.prepare(settings)
        return settings
    client = await nats.connect(nats_server.url)
    js = client.jetstream(timeout=30)
    for stream in await js.streams_info():
        await js.delete_stream(stream.config.name)
    await topology.declare(js, settings)
    await client.close()
    return settings


@pytest.fixture
def keyring(common: CommonSettings) -> Keyring:
    return Keyring(common.keys_file)
