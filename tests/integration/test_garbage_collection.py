"""Garbage collection with the documents and messages of the five services."""

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import fsspec
import pytest

from shared.artifacts import Artifacts
from shared.cloudevents import Envelope
from shared.events import Artifact, DatasetUploaded, Splits
from shared.garbage_collection.garbage_collection import collect
from shared.garbage_collection.refusal import CollectionRefused
from shared.retention import DAY_S
from shared.security import Keyring
from shared.settings import CommonSettings
from tests.five_services import FiveServices, admin_key, five_services, stored
from tests.five_services_work import serve_versions
from tests.gateway import eventually, rows
from tests.jetstream import jetstream
from tests.process import environment_of
from tests.scripted_engine import scripted_engine

GRACE_S = 2.0


@dataclass
class Stored:
    """What the test expects to stay, and to go."""

    artifacts: Artifacts
    deleted: Splits
    """Of a file that was deleted."""
    named_by_a_dead_letter: Artifact
    named_by_a_waiting_event: Artifact
    orphan: Artifact

    def remain(self, *artifacts: Artifact) -> list[bool]:
        return [self.artifacts.contains(each) for each in artifacts]


async def upload(at: FiveServices, content: bytes) -> str:
    """The id of a file that ingest has accepted."""
    answer = await at.http.post("/v1/files", data={"purpose": "fine-tune"}, files={"file": ("a.jsonl", content)})
    file_id = answer.json()["id"]

    async def processed() -> bool:
        return (await at.http.get(f"/v1/files/{file_id}")).json()["status"] == "processed"

    await eventually(processed)
    return file_id


async def work(settings: CommonSettings, keyring: Keyring) -> Splits:
    """Files, of which one is deleted, and served versions; the splits of the deleted file, which is then away."""
    async with scripted_engine() as engine, five_services(settings, admin_key(keyring), engine.url) as at:
        await upload(at, rows(20))
        deleted = await upload(at, rows(20).replace(b'"q', b'"other q'))
        document = (await stored(settings))["gateway.files"][deleted]
        assert (await at.http.delete(f"/v1/files/{deleted}")).is_success
        await serve_versions(at, settings)
        await at.idle()
    return Splits.model_validate(document["ready"]["splits"])


async def store_more(settings: CommonSettings, deleted: Splits) -> Stored:
    """Artifacts that nothing names, or only a message, while the services are stopped."""
    artifacts = Artifacts(settings.artifacts)
    # As if ingest had been killed before it deleted them.
    again = {name: artifacts.put_bytes(f"{name} again".encode()) for name in ("train", "validation", "test")}
    for name, artifact in again.items():
        split = getattr(deleted, name).artifact
        files, path = fsspec.url_to_fs(artifact.uri)
        target = files._strip_protocol(split.uri)
        files.makedirs(target.rpartition("/")[0], exist_ok=True)
        files.mv(path, target)
    found = Stored(artifacts, deleted, *(artifacts.put_bytes(name) for name in (b"dead letter", b"waiting", b"orphan")))
    async with jetstream(settings) as js:
        waiting = _uploaded("file-waiting", found.named_by_a_waiting_event)
        await js.publish("dataset.uploaded", waiting.model_dump_json().encode())
        letter = _uploaded("file-dead", found.named_by_a_dead_letter)
        await js.publish("dead.ingest-dataset_uploaded", letter.model_dump_json().encode())
    for name in ("adapters/" + found.orphan.sha256, "adapters/" + found.named_by_a_dead_letter.sha256):
        (settings.cache_dir / name).mkdir(parents=True)
    await asyncio.sleep(GRACE_S + 0.5)
    return found


def _uploaded(file_id: str, artifact: Artifact) -> Envelope:
    event = DatasetUploaded(file_id=file_id, filename="a.jsonl", artifact=artifact, owner="key_1", created_at=1)
    return Envelope.of(event, "gateway")


def command(settings: CommonSettings) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **environment_of(settings)}
    call = [sys.executable, "-m", "shared.garbage_collection"]
    return subprocess.run(call, env=environment, capture_output=True, text=True, timeout=60, check=False)


def say(_line: str) -> None: ...


@pytest.mark.timeout(120)
async def test_what_nothing_names_is_collected_and_everything_else_stays(
    bus_settings: CommonSettings, keyring: Keyring, tmp_path: Path
) -> None:
    found = await store_more(bus_settings, await work(bus_settings, keyring))
    documents = await stored(bus_settings)
    splits = [found.deleted.train.artifact, found.deleted.validation.artifact, found.deleted.test.artifact]

    shown = command(bus_settings)
    assert shown.returncode == 0, shown.stderr
    assert "There is nothing to remove" in shown.stdout, "everything is younger than the default grace period"

    empty = bus_settings.model_copy(update={"database_prefix": f"{bus_settings.database_prefix}lost_"})
    with pytest.raises(CollectionRefused, match="is empty, although the streams hold"):
        await collect(empty, GRACE_S / DAY_S, say, remove=True)
    assert found.remain(found.orphan, *splits) == [True] * 4

    young = found.artifacts.put_bytes(b"young")
    report = await collect(bus_settings, GRACE_S / DAY_S, say, remove=True)
    assert found.remain(found.orphan, *splits) == [False] * 4
    assert found.remain(young, found.named_by_a_dead_letter, found.named_by_a_waiting_event) == [True] * 3
    assert not (bus_settings.cache_dir / "adapters" / found.orphan.sha256).exists()
    assert (bus_settings.cache_dir / "adapters" / found.named_by_a_dead_letter.sha256).exists()
    # The three splits, the orphan, and what services write to see whether the store is ready.
    assert report.of("artifacts").removed.files in (4, 5)

    deployed = list(documents["gateway.deployments"].values())
    assert deployed
    for each in deployed:
        adapter = Artifact.model_validate(each["candidate"]["adapter"])
        assert (bus_settings.cache_dir / "adapters" / adapter.sha256).is_dir(), "an engine may read it again"
        found.artifacts.fetch_folder(adapter, tmp_path / "fetched")
    for name, kept in documents["gateway.files"].items():
        if not kept["deleted"]:
            assert found.artifacts.read(Artifact.model_validate(kept["upload"]["artifact"])), name
