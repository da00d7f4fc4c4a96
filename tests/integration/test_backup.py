"""A backup by the documented command, restored into empty servers."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fsspec
import httpx
import pytest

from shared import topology
from shared.backup import backup
from shared.backup import streams as saved_streams
from shared.backup.contents import BackupError
from shared.backup.streams import SAVED_STREAMS
from shared.security import Keyring
from shared.settings import CommonSettings
from tests.conftest import NatsServer
from tests.five_services import FiveServices, admin_key, five_services, stored
from tests.five_services_work import configure, serve_versions
from tests.gateway import eventually, rows
from tests.jetstream import jetstream
from tests.mongo_server import MongoServer
from tests.ports import free_port
from tests.process import command
from tests.scripted_engine import scripted_engine


@pytest.fixture
def empty_machine(common: CommonSettings, tmp_path: Path) -> Iterator[CommonSettings]:
    """New servers, and an empty folder for artifacts and keys."""
    folders = [tmp_path / "new" / name for name in ("nats", "mongo", "artifacts")]
    for folder in folders:
        folder.mkdir(parents=True)
    servers = (NatsServer(free_port(), folders[0]), MongoServer(free_port(), folders[1]))
    for server in servers:
        server.start()
    yield CommonSettings(
        nats_url=servers[0].url,
        mongo_url=servers[1].url,
        database_prefix=common.database_prefix,
        artifacts=str(folders[2]),
        cache_dir=tmp_path / "new" / "cache",
        keys_file=tmp_path / "new" / "keys.json",
    )
    for server in servers:
        server.kill()


async def streams(settings: CommonSettings) -> dict[str, Any]:
    """The messages of each saved stream with their sequences, and how far each consumer has come."""
    found: dict[str, Any] = {}
    async with jetstream(settings) as js:
        for name in SAVED_STREAMS:
            state = (await js.stream_info(name)).state
            subscription = await js.subscribe(stream=name, subject=">", ordered_consumer=True)
            messages = [await subscription.next_msg(timeout=10) for _ in range(state.messages)]
            found[name] = [(m.metadata.sequence.stream, m.metadata.timestamp, m.subject, m.data) for m in messages]
            await subscription.unsubscribe()
        for consumer in topology.CONSUMERS:
            info = await js.consumer_info(consumer.stream, consumer.name)
            assert info.ack_floor is not None
            found[consumer.name] = (asdict(info.config)["filter_subject"], info.ack_floor.stream_seq, info.num_pending)
    return found


def artifacts(settings: CommonSettings) -> dict[str, bytes]:
    files, root = fsspec.url_to_fs(settings.artifacts)
    return {path.removeprefix(root): files.cat_file(path) for path in files.find(root)}


async def upload(at: FiveServices) -> str:
    """A file that ingest has accepted; its id."""
    answer = await at.http.post("/v1/files", data={"purpose": "fine-tune"}, files={"file": ("a.jsonl", rows(20))})
    file_id = answer.json()["id"]

    async def processed() -> bool:
        return (await at.http.get(f"/v1/files/{file_id}")).json()["status"] == "processed"

    await eventually(processed)
    return file_id


async def lists(at: FiveServices) -> dict[str, Any]:
    """What a user sees."""
    gateway = ("files", "fine_tuning/jobs", "models", "keys")
    return {
        **{name: (await at.http.get(f"/v1/{name}")).json() for name in gateway},
        "policies": (await at.review.get("/v1/policies")).json(),
        "suites": (await at.evaluator.get("/v1/suites")).json(),
    }


@asynccontextmanager
async def signed_in(at: FiveServices, key: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=at.http.base_url, headers=headers, timeout=30) as client:
        yield client


@pytest.mark.timeout(180)
async def test_a_backup_is_restored_into_empty_servers_and_work_goes_on(
    bus_settings: CommonSettings,
    keyring: Keyring,
    empty_machine: CommonSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key, folder = admin_key(keyring), str(tmp_path / "monday")
    async with scripted_engine() as engine:
        async with five_services(bus_settings, key, engine.url) as first:
            await configure(first)
            await upload(first)
            await first.idle()
            shortened = command(bus_settings, "shared.archive", "shorten", "--days", "0")
            assert "events archived" in shortened.stdout, shortened.stderr
            await serve_versions(first, bus_settings)
            made = (await first.http.post("/v1/keys", json={"name": "ann", "scopes": ["train"]})).json()
            await first.idle()
            shown = await lists(first)
            monkeypatch.setattr(saved_streams, "STOP_S", 0.5)
            with pytest.raises(BackupError, match="services are running"):
                await backup.save(bus_settings, tmp_path / "too-early")
        saving = command(bus_settings, "shared.backup", "save", folder)
        assert saving.returncode == 0, saving.stderr
        before = await stored(bus_settings), await streams(bus_settings), artifacts(bus_settings)

        restoring = command(empty_machine, "shared.backup", "restore", folder)
        assert restoring.returncode == 0, restoring.stderr
        assert (await stored(empty_machine), await streams(empty_machine), artifacts(empty_machine)) == before
        assert restoring.stdout.replace("restored", "saved") == saving.stdout
        with pytest.raises(BackupError, match="hold documents already"):
            await backup.restore(empty_machine, Path(folder))

        async with jetstream(empty_machine) as js:
            await topology.declare(js, empty_machine)

        async with five_services(empty_machine, key, engine.url) as second:
            await second.idle()
            assert await lists(second) == shown
            async with signed_in(second, made["secret"]) as ann:
                assert (await ann.get("/v1/files")).status_code == 200
            assert await upload(second) not in [each["id"] for each in shown["files"]["data"]]
            await second.idle()
            assert (await second.http.get("/v1/dead_letters")).json()["data"] == []
