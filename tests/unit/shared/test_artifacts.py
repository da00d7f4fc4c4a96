"""Artifacts: stored atomically, verified, never pickled."""

import errno
import json
import os
import pickle
from pathlib import Path
from types import SimpleNamespace

import fsspec
import pytest

from services.trainer.adapters.run_archive import FileRunArchive
from shared.artifacts import ArtifactError, Artifacts, ArtifactStoreAway
from shared.events import Artifact
from tests.aged_files import is_new, make_old


@pytest.fixture(params=["folder", "memory"])
def artifacts(request: pytest.FixtureRequest, tmp_path: Path) -> Artifacts:
    root = str(tmp_path / "store") if request.param == "folder" else f"memory://{tmp_path.name}"
    artifacts = Artifacts(root)
    artifacts.put_bytes(b"the store exists")
    return artifacts


def folder(tmp_path: Path) -> Path:
    source = tmp_path / "adapter"
    (source / "sub").mkdir(parents=True)
    (source / "adapter_config.json").write_text('{"r": 16}')
    (source / "sub" / "adapter_model.safetensors").write_bytes(b"\x08weights")
    return source


def test_the_same_bytes_are_stored_once_and_read_unchanged(artifacts: Artifacts) -> None:
    first, again = artifacts.put_bytes(b"hello"), artifacts.put_bytes(b"hello")
    assert first == again
    assert artifacts.read(first) == b"hello"


def test_content_that_is_put_again_is_as_new_as_the_last_put(artifacts: Artifacts) -> None:
    stored = artifacts.put_bytes(b"hello")
    make_old(artifacts, stored.sha256)
    assert not is_new(artifacts, stored.sha256)
    artifacts.put_bytes(b"hello")
    assert is_new(artifacts, stored.sha256)
    assert artifacts.read(stored) == b"hello"


def test_an_artifact_that_an_event_will_name_is_made_new_with_all_files_of_its_folder(
    artifacts: Artifacts, tmp_path: Path
) -> None:
    (source := folder(tmp_path)).joinpath("model.safetensors").write_bytes(b"\x08weights" * 100)
    stored, weights = artifacts.put_folder(source), artifacts.put_bytes(b"\x08weights" * 100)
    other = artifacts.put_bytes(b"not named")
    make_old(artifacts, stored.sha256, weights.sha256, other.sha256)
    assert artifacts.keep(stored)
    assert [is_new(artifacts, each.sha256) for each in (stored, weights, other)] == [True, True, False]
    assert artifacts.read(weights) == b"\x08weights" * 100


def test_an_artifact_that_is_missing_cannot_be_kept(artifacts: Artifacts) -> None:
    assert not artifacts.keep(Artifact(uri="x", sha256="0" * 64, bytes=1))


def test_an_artifact_that_is_deleted_while_one_asks_for_it_is_not_there(
    artifacts: Artifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = artifacts.put_bytes(b"hello")
    fs, _ = fsspec.core.url_to_fs(stored.uri)
    size = fs.size

    def after_a_deletion(path: str) -> int:
        if aside := artifacts.set_aside(stored):
            aside.remove()
        return size(path)

    monkeypatch.setattr(fs, "size", after_a_deletion)
    assert not artifacts.contains(stored)
    assert not artifacts.keep(stored)


def test_an_artifact_whose_deletion_was_interrupted_is_found_by_each_reader(
    artifacts: Artifacts, tmp_path: Path
) -> None:
    stored = artifacts.put_bytes(b"hello")
    for read in (
        lambda: artifacts.read(stored) == b"hello",
        lambda: artifacts.open(stored).read() == b"hello",
        lambda: artifacts.contains(stored),
        lambda: artifacts.keep(stored),
    ):
        # Its service is killed here.
        assert artifacts.set_aside(stored) is not None
        assert read()
    aside = artifacts.set_aside(stored)
    assert aside is not None
    aside.remove()
    assert not artifacts.contains(stored)


def test_an_artifact_that_is_set_aside_is_put_back_or_removed(artifacts: Artifacts) -> None:
    stored = artifacts.put_bytes(b"hello")
    for _ in range(2):
        aside = artifacts.set_aside(stored)
        assert aside is not None
        aside.put_back()
        assert artifacts.read(stored) == b"hello"
    aside = artifacts.set_aside(stored)
    assert aside is not None
    assert artifacts.set_aside(stored) is None
    aside.remove()
    assert not artifacts.contains(stored)


def test_an_artifact_that_is_put_again_outlives_the_removal_of_what_was_set_aside(artifacts: Artifacts) -> None:
    stored = artifacts.put_bytes(b"hello")
    aside = artifacts.set_aside(stored)
    assert aside is not None
    artifacts.put_bytes(b"hello")
    aside.remove()
    assert artifacts.read(stored) == b"hello"


def test_a_file_whose_time_cannot_be_changed_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def of_another_user(_path: str) -> None:
        raise PermissionError

    artifacts = Artifacts(str(tmp_path / "store"))
    stored = artifacts.put_bytes(b"hello")
    make_old(artifacts, stored.sha256)
    monkeypatch.setattr("shared.artifact_age.os", SimpleNamespace(utime=of_another_user))
    artifacts.put_bytes(b"hello")
    assert is_new(artifacts, stored.sha256)
    make_old(artifacts, stored.sha256)
    assert artifacts.keep(stored)
    assert is_new(artifacts, stored.sha256)


def test_a_folder_is_read_with_all_its_files(artifacts: Artifacts, tmp_path: Path) -> None:
    artifact = artifacts.put_folder(folder(tmp_path))
    fetched = artifacts.fetch_folder(artifact, tmp_path / "cache")
    assert (fetched / "sub" / "adapter_model.safetensors").read_bytes() == b"\x08weights"
    assert artifacts.fetch_folder(artifact, tmp_path / "cache") == fetched
    assert artifact.bytes == len(b'{"r": 16}') + len(b"\x08weights")


def test_two_readers_may_fetch_one_file_to_one_place_and_leave_nothing_else(
    artifacts: Artifacts, tmp_path: Path
) -> None:
    artifact = artifacts.put_bytes(b"an index")
    target = tmp_path / "cache" / "index"
    # Both saw that the file was not there; the second comes after the first has ended.
    for _ in range(2):
        artifacts.fetch_file(artifact, target)
    assert target.read_bytes() == b"an index"
    assert list(target.parent.iterdir()) == [target]


def test_a_damaged_artifact_is_refused(tmp_path: Path) -> None:
    artifacts = Artifacts(str(tmp_path / "store"))
    artifact = artifacts.put_bytes(b"hello")
    Path(artifact.uri.removeprefix("file://")).write_bytes(b"hellO")
    with pytest.raises(ArtifactError, match="damaged"):
        artifacts.read(artifact)


def test_a_missing_artifact_is_an_error_that_names_its_digest(artifacts: Artifacts) -> None:
    with pytest.raises(ArtifactError, match="missing"):
        artifacts.read(Artifact(uri="x", sha256="0" * 64, bytes=1))


@pytest.mark.parametrize("name", ["optimizer.pt", "training_args.bin", "model.pkl", "weights.json"])
def test_a_pickle_is_never_stored(artifacts: Artifacts, tmp_path: Path, name: str) -> None:
    source = folder(tmp_path)
    (source / name).write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ArtifactError, match="pickle"):
        artifacts.put_folder(source)


@pytest.mark.parametrize("name", ["../outside.json", "/etc/passwd", "a\x00.json"])
def test_a_manifest_cannot_name_a_file_outside_its_folder(artifacts: Artifacts, tmp_path: Path, name: str) -> None:
    content = artifacts.put_bytes(b"x")
    evil = artifacts.put_bytes(json.dumps({"files": {name: {"sha256": content.sha256, "bytes": 1}}}).encode())
    with pytest.raises(ArtifactError, match="outside"):
        artifacts.fetch_folder(evil, tmp_path / "cache")
    assert not list(tmp_path.rglob("outside.json"))


async def test_a_store_whose_folder_is_gone_is_away_and_its_artifacts_are_not_called_missing(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    artifacts = Artifacts(str(root))
    stored = artifacts.put_bytes(b"hello")
    root.rename(elsewhere)
    for use in (lambda: artifacts.read(stored), lambda: artifacts.contains(stored), lambda: artifacts.put_bytes(b"x")):
        with pytest.raises(ArtifactStoreAway, match="mount its file system"):
            use()
    with pytest.raises(ArtifactStoreAway):
        await artifacts.ready()
    assert not root.exists()
    elsewhere.rename(root)
    await artifacts.ready()
    assert artifacts.read(stored) == b"hello"


def test_a_service_never_makes_the_store_that_its_artifacts_are_missing_from(tmp_path: Path) -> None:
    started_during_an_outage = Artifacts(str(tmp_path / "store"), create=False)
    with pytest.raises(ArtifactStoreAway, match="make the folder if it is new"):
        started_during_an_outage.put_bytes(b"would be hidden by the mount")
    assert not (tmp_path / "store").exists()
    (tmp_path / "store").mkdir()
    assert started_during_an_outage.read(started_during_an_outage.put_bytes(b"kept")) == b"kept"


async def test_the_archive_of_runs_does_not_take_an_outage_for_an_unknown_run(tmp_path: Path) -> None:
    archive = FileRunArchive(str(tmp_path / "store"))
    with pytest.raises(ArtifactStoreAway):
        await archive.find("ftjob-1")
    (tmp_path / "store").mkdir()
    assert await archive.find("ftjob-1") is None


def test_a_write_that_fails_on_a_full_disk_leaves_no_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    store = Artifacts(str(tmp_path))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.put_bytes(b"content")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
