"""Pieces of incomplete content, in a folder and in an object store."""

import errno
import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from shared.artifacts import Artifacts, ArtifactStoreAway
from shared.upload_staging import UploadStaging


@pytest.fixture(params=["folder", "memory"])
def staging(request: pytest.FixtureRequest, tmp_path: Path) -> UploadStaging:
    root = str(tmp_path / "artifacts") if request.param == "folder" else f"memory://{tmp_path.name}"
    return UploadStaging(root, Artifacts(root))


def put(staging: UploadStaging, tmp_path: Path, **pieces: bytes) -> None:
    for name, content in pieces.items():
        source = tmp_path / "source"
        source.write_bytes(content)
        staging.put("upload", name, source)


def test_pieces_are_joined_in_the_order_that_is_asked_for(staging: UploadStaging, tmp_path: Path) -> None:
    put(staging, tmp_path, one=b"a" * 3_000_000, two=b"b")
    target = tmp_path / "target"
    digest = staging.join("upload", ["two", "one"], target)
    assert target.read_bytes() == b"b" + b"a" * 3_000_000
    assert digest == hashlib.md5(target.read_bytes(), usedforsecurity=False).hexdigest()


def test_removed_pieces_are_gone_and_removing_them_again_is_no_error(staging: UploadStaging, tmp_path: Path) -> None:
    put(staging, tmp_path, one=b"1", two=b"2")
    for _ in range(2):
        staging.remove("upload", "one")
    staging.join("upload", ["two"], tmp_path / "target")
    for _ in range(2):
        staging.remove_all("upload")
    with pytest.raises(FileNotFoundError):
        staging.join("upload", ["two"], tmp_path / "target")


def test_a_piece_that_someone_may_read_is_not_written_again(tmp_path: Path) -> None:
    root = str(tmp_path / "artifacts")
    staging = UploadStaging(root, Artifacts(root))
    put(staging, tmp_path, one=b"1")
    with pytest.raises(FileExistsError):
        put(staging, tmp_path, one=b"2")
    staging.join("upload", ["one"], tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"1"


def test_a_piece_may_come_while_its_group_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = str(tmp_path / "artifacts")
    staging, rmdir = UploadStaging(root, Artifacts(root)), os.rmdir
    put(staging, tmp_path, early=b"1")

    def after_a_put(folder: Any, **options: Any) -> None:
        if str(folder).endswith("staging/upload"):
            put(staging, tmp_path, late=b"2")
        rmdir(folder, **options)

    monkeypatch.setattr(os, "rmdir", after_a_put)
    staging.remove_all("upload")
    staging.join("upload", ["late"], tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"2"
    with pytest.raises(FileNotFoundError):
        staging.join("upload", ["early"], tmp_path / "target")


def test_a_piece_is_put_although_the_folder_of_its_group_is_removed_at_that_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = str(tmp_path / "artifacts")
    staging, makedirs, removals = UploadStaging(root, Artifacts(root)), os.makedirs, iter([True])

    def before_a_removal(folder: Any, *arguments: Any, **options: Any) -> None:
        makedirs(folder, *arguments, **options)
        if str(folder).endswith("staging/upload") and next(removals, False):
            staging.remove_all("upload")

    monkeypatch.setattr(os, "makedirs", before_a_removal)
    put(staging, tmp_path, one=b"1")
    staging.join("upload", ["one"], tmp_path / "target")


def test_a_piece_that_is_removed_while_it_is_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = str(tmp_path / "artifacts")
    staging, fsync = UploadStaging(root, Artifacts(root)), os.fsync
    put(staging, tmp_path, zero=b"0")

    def after_a_removal(descriptor: int) -> None:
        staging.remove_all("upload")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", after_a_removal)
    put(staging, tmp_path, one=b"1")
    assert not (tmp_path / "artifacts" / "staging" / "upload").exists()


def test_a_piece_that_does_not_fit_on_the_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    root = str(tmp_path / "artifacts")
    staging = UploadStaging(root, Artifacts(root))
    put(staging, tmp_path, zero=b"0")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        put(staging, tmp_path, one=b"1")
    assert [path.name for path in (tmp_path / "artifacts" / "staging" / "upload").iterdir()] == ["zero"]


def test_a_store_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    root = tmp_path / "artifacts"
    staging = UploadStaging(str(root), Artifacts(str(root)))
    put(staging, tmp_path, one=b"1")
    shutil.rmtree(root)
    with pytest.raises(ArtifactStoreAway):
        put(staging, tmp_path, two=b"2")
