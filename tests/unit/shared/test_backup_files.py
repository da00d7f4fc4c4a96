"""Incomplete and damaged backups are refused."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.artifacts import ArtifactError, Artifacts
from shared.backup.artifact_files import restore_artifacts, save_artifacts
from shared.backup.contents import BackupError, Contents


def test_a_folder_without_the_file_that_is_written_last_is_refused(tmp_path: Path) -> None:
    (tmp_path / "databases").mkdir()
    with pytest.raises(BackupError, match="no complete backup"):
        Contents.read(tmp_path)


def test_the_contents_of_a_backup_are_read_as_they_were_written(tmp_path: Path) -> None:
    counts = {"assay_review": {"policies": 3, "runs": 2}}
    made = Contents(made_at=datetime.now(UTC), documents=counts, messages={"ASSAY_EVENTS": 7})
    made.write(tmp_path)
    assert Contents.read(tmp_path) == made
    assert str(made) == "5 documents, 7 messages, without artifacts"


def saved_and_restored(tmp_path: Path, number: int) -> Artifacts:
    """Another store with so many artifacts of the one in the folder `store`."""
    assert save_artifacts(str(tmp_path / "store"), tmp_path / "backup") == number
    restored = Artifacts(str(tmp_path / "other"))
    restore_artifacts(tmp_path / "backup", restored, number)
    return restored


def test_artifacts_are_restored_under_their_digests_without_pieces_of_unfinished_writes(tmp_path: Path) -> None:
    store = Artifacts(str(tmp_path / "store"))
    stored = store.put_bytes(b"content")
    (tmp_path / "store" / "sha256" / stored.sha256[:2] / f"{stored.sha256}.1.part").write_bytes(b"con")
    assert saved_and_restored(tmp_path, 1).read(stored) == b"content"


def test_an_artifact_whose_deletion_was_interrupted_is_saved(tmp_path: Path) -> None:
    store = Artifacts(str(tmp_path / "store"))
    stored = store.put_bytes(b"content")
    store.set_aside(stored)
    assert saved_and_restored(tmp_path, 1).read(stored) == b"content"


def test_a_damaged_artifact_is_refused_and_not_stored_under_its_old_digest(tmp_path: Path) -> None:
    store = Artifacts(str(tmp_path / "store"))
    stored = store.put_bytes(b"content")
    save_artifacts(str(tmp_path / "store"), tmp_path / "backup")
    (tmp_path / "backup" / stored.sha256[:2] / stored.sha256).write_bytes(b"damaged")
    restored = Artifacts(str(tmp_path / "other"))
    with pytest.raises(BackupError, match="is damaged"):
        restore_artifacts(tmp_path / "backup", restored, 1)
    with pytest.raises(ArtifactError, match="missing"):
        restored.read(stored)


def test_a_missing_artifact_is_refused(tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()
    with pytest.raises(BackupError, match="copy the backup again"):
        restore_artifacts(tmp_path / "backup", Artifacts(str(tmp_path / "store")), 1)
