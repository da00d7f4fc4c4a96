"""Artifacts, uploads in parts and backups on S3, by SeaweedFS: `make test-s3`."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from shared.artifact_digests import digests_in
from shared.artifacts import ArtifactError, Artifacts
from shared.backup.artifact_files import restore_artifacts, save_artifacts
from shared.garbage_collection.stored_files import StoredFiles
from shared.upload_staging import UploadStaging
from tests.other_servers import SECOND
from tests.ports import free_port, wait_for_port

pytestmark = pytest.mark.skipif("ASSAY_TEST_S3" not in os.environ, reason="run it with `make test-s3`")


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty bucket."""
    folder = tmp_path_factory.mktemp("s3")
    s3, *others = (free_port() for _ in range(4))
    names = ("master.port", "volume.port", "filer.port")
    ports = [f"-{name}={port}" for name, port in zip(names, others, strict=True)]
    command = [SECOND / "weed", "server", f"-dir={folder}", "-ip=127.0.0.1", "-filer", "-s3", f"-s3.port={s3}", *ports]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "-master.volumeSizeLimitMB=64", "-s3.port.iceberg=0", "-s3.port.lance=0"], stdout=log, stderr=log
        )
    access = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_REGION": "us-east-1"}
    try:
        wait_for_port(s3, 60)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**access, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{s3}"}.items():
                patch.setenv(name, value)
            # s3fs is in the environment of the second servers.
            [packages] = SECOND.parent.glob("lib/python*/site-packages")
            patch.setattr(sys, "path", [*sys.path, str(packages)])
            fsspec.filesystem("s3").mkdir("assay")
            yield "s3://assay"
    finally:
        server.kill()
        server.wait()


def test_artifacts_are_stored_read_and_deleted(bucket: str, tmp_path: Path) -> None:
    store = Artifacts(f"{bucket}/plain", create=False)
    stored = store.put_bytes(b"content" * 100_000)
    assert store.contains(stored)
    assert store.read(stored) == b"content" * 100_000
    assert store.open(stored).read(7) == b"content"
    store.delete(stored)
    assert not store.contains(stored)
    with pytest.raises(ArtifactError, match="missing"):
        store.read(stored)


def test_a_folder_is_fetched_as_it_was_stored(bucket: str, tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "config.json").write_text("{}")
    store = Artifacts(f"{bucket}/folder")
    fetched = store.fetch_folder(store.put_folder(tmp_path / "adapter"), tmp_path / "cache")
    assert (fetched / "config.json").read_text() == "{}"


def test_garbage_is_listed_and_removed_unless_it_is_new(bucket: str, tmp_path: Path) -> None:
    store = Artifacts(f"{bucket}/garbage")
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "config.json").write_text("{}")
    folder, empty, orphan = store.put_folder(tmp_path / "adapter"), store.put_bytes(b""), store.put_bytes(b"orphan")
    UploadStaging(f"{bucket}/garbage", store).put("upload", "part", tmp_path / "adapter" / "config.json")
    files = StoredFiles(f"{bucket}/garbage")
    [manifest] = files.documents([folder.sha256, empty.sha256, "0" * 64])
    assert digests_in(manifest) == {store.put_bytes(b"{}").sha256}
    found = list(files.all())
    assert {each.digest for each in found} == {folder.sha256, *digests_in(manifest), empty.sha256, orphan.sha256, ""}
    [garbage] = [each for each in found if each.digest == orphan.sha256]
    assert not files.remove(garbage, time.time() - 3600)
    assert store.keep(orphan)
    assert files.remove(garbage, time.time() + 3600)
    assert not store.contains(orphan)
    assert not store.keep(orphan)


async def test_the_store_is_ready(bucket: str) -> None:
    await Artifacts(f"{bucket}/ready").ready()


def test_parts_of_an_upload_are_joined(bucket: str, tmp_path: Path) -> None:
    staging = UploadStaging(f"{bucket}/parts", Artifacts(f"{bucket}/parts"))
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
        staging.put("upload", name, tmp_path / name)
    staging.join("upload", ["two", "one"], tmp_path / "whole")
    assert (tmp_path / "whole").read_text() == "twoone"


def test_a_backup_of_a_bucket_is_restored_into_a_folder(bucket: str, tmp_path: Path) -> None:
    stored = [Artifacts(f"{bucket}/saved").put_bytes(content) for content in (b"one", b"two")]
    assert save_artifacts(f"{bucket}/saved", tmp_path / "backup") == 2
    folder = Artifacts(str(tmp_path / "folder"))
    restore_artifacts(tmp_path / "backup", folder, 2)
    assert [folder.read(each) for each in stored] == [b"one", b"two"]
