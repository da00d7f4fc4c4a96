"""Pieces of incomplete content, in a folder and in an object store."""

import hashlib
import shutil
from pathlib import Path

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


def test_a_store_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    root = tmp_path / "artifacts"
    staging = UploadStaging(str(root), Artifacts(str(root)))
    put(staging, tmp_path, one=b"1")
    shutil.rmtree(root)
    with pytest.raises(ArtifactStoreAway):
        put(staging, tmp_path, two=b"2")
