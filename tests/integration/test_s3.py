"""Artifacts, uploads in parts and backups on S3, by SeaweedFS: `make test-s3`."""

import os
import time
from pathlib import Path

import pytest

from shared.artifact_mentions import digests_in
from shared.artifacts import ArtifactError, Artifacts
from shared.backup.artifact_files import restore_artifacts, save_artifacts
from shared.garbage_collection.stored_files import StoredFiles
from shared.upload_staging import UploadStaging

pytestmark = pytest.mark.skipif("ASSAY_TEST_S3" not in os.environ, reason="run it with `make test-s3`")


def test_artifacts_are_stored_and_read(s3_url: str, tmp_path: Path) -> None:
    store = Artifacts(f"{s3_url}/plain", create=False)
    stored = store.put_bytes(b"content" * 100_000)
    assert store.contains(stored)
    assert store.read(stored) == b"content" * 100_000
    assert store.open(stored).read(7) == b"content"


def test_an_artifact_is_set_aside_put_back_by_a_reader_and_removed(s3_url: str) -> None:
    store = Artifacts(f"{s3_url}/aside")
    stored, files = store.put_bytes(b"content"), StoredFiles(f"{s3_url}/aside")
    for _ in range(2):
        assert store.set_aside(stored) is not None
        assert [(each.kind, each.digest) for each in files.all()] == [("artifacts", stored.sha256)]
        assert store.read(stored) == b"content"
    aside = store.set_aside(stored)
    assert aside is not None
    assert store.put_bytes(b"content") == stored
    aside.remove()
    assert store.contains(stored)
    aside = store.set_aside(stored)
    assert aside is not None
    aside.remove()
    assert not store.contains(stored)
    with pytest.raises(ArtifactError, match="missing"):
        store.read(stored)


def test_a_folder_is_fetched_as_it_was_stored(s3_url: str, tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "config.json").write_text("{}")
    store = Artifacts(f"{s3_url}/folder")
    fetched = store.fetch_folder(store.put_folder(tmp_path / "adapter"), tmp_path / "cache")
    assert (fetched / "config.json").read_text() == "{}"


def test_garbage_is_listed_and_removed_unless_it_is_new(s3_url: str, tmp_path: Path) -> None:
    store = Artifacts(f"{s3_url}/garbage")
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "config.json").write_text("{}")
    folder, empty, orphan = store.put_folder(tmp_path / "adapter"), store.put_bytes(b""), store.put_bytes(b"orphan")
    UploadStaging(f"{s3_url}/garbage", store).put("upload", "part", tmp_path / "adapter" / "config.json")
    files = StoredFiles(f"{s3_url}/garbage")
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


async def test_the_store_is_ready(s3_url: str) -> None:
    await Artifacts(f"{s3_url}/ready").ready()


def test_parts_of_an_upload_are_joined(s3_url: str, tmp_path: Path) -> None:
    staging = UploadStaging(f"{s3_url}/parts", Artifacts(f"{s3_url}/parts"))
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
        staging.put("upload", name, tmp_path / name)
    staging.join("upload", ["two", "one"], tmp_path / "whole")
    assert (tmp_path / "whole").read_text() == "twoone"


def test_a_backup_of_a_bucket_is_restored_into_a_folder(s3_url: str, tmp_path: Path) -> None:
    stored = [Artifacts(f"{s3_url}/saved").put_bytes(content) for content in (b"one", b"two")]
    assert save_artifacts(f"{s3_url}/saved", tmp_path / "backup") == 2
    folder = Artifacts(str(tmp_path / "folder"))
    restore_artifacts(tmp_path / "backup", folder, 2)
    assert [folder.read(each) for each in stored] == [b"one", b"two"]
