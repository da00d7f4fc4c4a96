"""Garbage collection removes what nothing names, and only that."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from time import time
from typing import Any

import fsspec
import pytest

from shared.artifact_mentions import HEAD_BYTES, digests_in, is_document
from shared.artifacts import Artifacts, ArtifactStoreAway
from shared.atomic_directory import boot_id
from shared.events import Artifact
from shared.garbage_collection.cached_files import CachedFiles
from shared.garbage_collection.marks import Marks
from shared.garbage_collection.refusal import CollectionRefused
from shared.garbage_collection.report import Report
from shared.garbage_collection.stored_files import StoredFiles
from shared.garbage_collection.sweep import Sweep, spread
from tests.aged_files import make_old, make_path_old

GRACE_DAYS = 7.0


class Store:
    """A store in a folder or in memory, and the collection of its garbage."""

    def __init__(self, root: str, cache: Path) -> None:
        self.artifacts, self.root, self.cache = Artifacts(root), root, cache
        self.named = self.artifacts.put_bytes(b"named by a document")
        make_old(self.artifacts, self.named.sha256)

    def old(self, content: bytes) -> Artifact:
        stored = self.artifacts.put_bytes(content)
        make_old(self.artifacts, stored.sha256)
        return stored

    def write(self, path: str, *, old: bool) -> None:
        """A file that is not an artifact."""
        fs, root = fsspec.core.url_to_fs(self.root)
        fs.makedirs(f"{root}/{path}".rpartition("/")[0], exist_ok=True)
        fs.pipe_file(f"{root}/{path}", b"piece")
        if old:
            make_path_old(fs, f"{root}/{path}")

    def has(self, path: str) -> bool:
        fs, root = fsspec.core.url_to_fs(self.root)
        return fs.exists(f"{root}/{path}")

    def sweep(self, *named: Artifact) -> Sweep:
        marks, files = Marks(), StoredFiles(self.root)
        for artifact in (self.named, *named):
            marks.add_named_in(artifact.model_dump_json().encode())
        spread(marks, files, print)
        return Sweep(marks, files, CachedFiles(self.cache), time() - GRACE_DAYS * 86_400, print)

    def collect(self, *named: Artifact) -> Report:
        report, sweep = Report(GRACE_DAYS), self.sweep(*named)
        sweep.count(report)
        sweep.remove(report)
        return report

    def remaining(self, *artifacts: Artifact) -> list[bool]:
        return [self.artifacts.contains(each.model_copy(update={"bytes": 0})) for each in artifacts]


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store") if request.param == "folder" else f"memory://{tmp_path.name}", tmp_path / "c")


def test_an_old_artifact_that_nothing_names_is_removed_and_a_named_or_young_one_stays(store: Store) -> None:
    named, orphan, young = store.old(b"one"), store.old(b"two"), store.artifacts.put_bytes(b"three")
    report = store.collect(named)
    assert store.remaining(named, orphan, young) == [True, False, True]
    found = report.of("artifacts")
    # Beside these: one that is named, and one that the fixture puts again and again.
    assert (found.needed.files, found.new.files, found.garbage.files, found.removed.files) == (2, 2, 1, 1)
    assert report.removed.bytes == len(b"two")


def test_counting_removes_nothing(store: Store) -> None:
    orphan, report = store.old(b"orphan"), Report(GRACE_DAYS)
    store.sweep().count(report)
    assert report.garbage.files == 1
    assert store.remaining(orphan) == [True]


def test_the_files_of_a_named_folder_and_of_a_named_report_stay(store: Store, tmp_path: Path) -> None:
    (source := tmp_path / "adapter").mkdir()
    (source / "adapter_model.safetensors").write_bytes(b"\x08weights")
    folder = store.artifacts.put_folder(source)
    weights = store.artifacts.put_bytes(b"\x08weights")
    samples = store.old(b'{"answer": "cat"}\n{"answer": "dog"}\n')
    padding = "x" * 2 * HEAD_BYTES
    answers = store.old(json.dumps({"padding": padding, "samples": samples.model_dump()}).encode())
    report = store.old(json.dumps({"answers": answers.model_dump()}).encode())
    make_old(store.artifacts, folder.sha256, weights.sha256)
    store.collect(folder, report)
    assert store.remaining(folder, weights, report, answers, samples) == [True] * 5


def test_a_document_that_a_service_deletes_while_it_is_read_is_skipped(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = store.old(json.dumps({"padding": "x" * 2 * HEAD_BYTES}).encode())
    fs, _ = fsspec.core.url_to_fs(large.uri)
    size = fs.size

    def after_a_deletion(path: str) -> int:
        if aside := store.artifacts.set_aside(large):
            aside.remove()
        return size(path)

    monkeypatch.setattr(fs, "size", after_a_deletion)
    store.collect(large)
    assert store.remaining(large, store.named) == [False, True]


def test_a_digest_in_a_row_of_training_data_names_nothing(store: Store) -> None:
    orphan = store.old(b"orphan")
    rows = store.old(b"".join(json.dumps({"text": text}).encode() + b"\n" for text in (orphan.sha256, "b")))
    store.collect(rows)
    assert store.remaining(rows, orphan) == [True, False]


def test_an_empty_artifact_that_is_named_is_no_error(store: Store) -> None:
    empty = store.old(b"")
    store.collect(empty)
    assert store.remaining(empty) == [True]


def test_old_pieces_of_writes_and_uploads_are_removed_and_files_of_others_stay(store: Store) -> None:
    digest = store.named.sha256
    pieces = [f"sha256/{digest[:2]}/{digest}.1.part", "runs/1.json.1.part", "staging/upload_1/part_1"]
    young = [f"{path}.young.part" for path in pieces]
    others = ["runs/1.json", "sha256/README", "notes.txt"]
    for path in (*pieces, *young, *others):
        store.write(path, old=path not in young)
    report = store.collect()
    assert [store.has(path) for path in pieces] == [False] * 3
    assert all(store.has(path) for path in (*young, *others))
    assert report.of("unfinished writes").removed.files == 2
    assert report.of("parts of uploads").removed.files == 1


def test_what_an_interrupted_deletion_set_aside_stays_if_it_is_named_or_young(store: Store) -> None:
    named, orphan, young = store.old(b"one"), store.old(b"two"), store.artifacts.put_bytes(b"three")
    again = store.old(b"four")
    for artifact in (named, orphan, young, again):
        aside = store.artifacts.set_aside(artifact)
        assert aside is not None
        if artifact is not young:
            make_path_old(aside.fs, aside.aside)
    store.old(b"four")
    report = store.collect(named, again)
    assert report.removed.files == 2, "the orphan, and the copy of what was put again"
    assert store.remaining(named, orphan, young, again) == [True, False, True, True]


def test_an_artifact_that_is_put_again_while_garbage_is_collected_stays(store: Store) -> None:
    again, report = store.old(b"again"), Report(GRACE_DAYS)
    sweep = store.sweep()
    sweep.count(report)
    assert report.garbage.files == 1
    store.artifacts.put_bytes(b"again")
    sweep.remove(report)
    assert report.removed.files == 0
    assert store.remaining(again) == [True]


def test_an_artifact_that_is_put_again_at_the_moment_of_its_removal_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(str(tmp_path / "store"), tmp_path / "cache")
    again, rename = store.old(b"again"), os.rename

    def after_a_put(source: Any, target: Any) -> None:
        if str(source).endswith(again.sha256):
            store.artifacts.put_bytes(b"again")
        rename(source, target)

    monkeypatch.setattr("shared.garbage_collection.stored_files.os.rename", after_a_put)
    assert store.collect().removed.files == 0
    assert store.remaining(again) == [True]


def test_a_store_that_belongs_to_another_installation_is_refused(store: Store) -> None:
    orphan = store.old(b"orphan")
    sweep = Sweep(Marks(), StoredFiles(store.root), CachedFiles(store.cache), time() - 86_400, print)
    with pytest.raises(CollectionRefused, match="belong to the same installation"):
        sweep.count(Report(GRACE_DAYS))
    assert store.remaining(orphan) == [True]


def test_a_store_whose_folder_is_away_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactStoreAway, match="mount its file system"):
        StoredFiles(str(tmp_path / "not-mounted"))


def test_cached_artifacts_stay_while_something_names_them(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"), tmp_path / "cache")
    served, orphan, young = (store.artifacts.put_bytes(name) for name in (b"served", b"orphan", b"young"))
    adapters, indexes = store.cache / "adapters", store.cache / "indexes"
    kept = [adapters / served.sha256, adapters / young.sha256, indexes / f"{served.sha256}.npz"]
    gone = [adapters / orphan.sha256, adapters / f".{served.sha256}.0a1b", indexes / f"{orphan.sha256}.npz"]
    _fill([*kept, *gone], young=[kept[1]])
    report = store.collect(served)
    assert [path.exists() for path in (*kept, *gone)] == [True] * 3 + [False] * 3
    assert report.of("cached artifacts").removed.files == 3
    assert sorted(path.name for path in adapters.iterdir()) == sorted([served.sha256, young.sha256])


def test_merged_weights_of_an_earlier_boot_are_removed(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"), tmp_path / "cache")
    merged = store.cache / "merged"
    kept = [merged / f"v-1.0123abcd.{boot_id()}", merged / "0123456789abcdef" / boot_id()]
    gone = [merged / "v-1.0123abcd.00000000", merged / "0123456789abcdef" / "00000000", merged / f".v.{boot_id()}.1"]
    _fill([*kept, *gone])
    assert store.collect().of("merged weights").removed.files == 3
    assert [path.exists() for path in (*kept, *gone)] == [True] * 2 + [False] * 3


def _fill(paths: Iterable[Path], young: Iterable[Path] = ()) -> None:
    """Files and folders that are ten days old."""
    for path in paths:
        file = path if path.suffix == ".npz" else path / "file"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"content")
        if path not in young:
            make_path_old(None, str(path))


def test_the_table_says_how_much_is_needed_new_and_garbage(tmp_path: Path) -> None:
    report = Report(GRACE_DAYS)
    report.of("artifacts").needed.add(3 * 2**30)
    report.of("artifacts").garbage.add(10)
    assert str(report).splitlines() == [
        "                   needed                      younger than 7 days         garbage",
        "artifacts          1 file, 3.0 GiB             0 files, 0 bytes            1 file, 10 bytes",
    ]
    assert report.summary(removed=False, how="--remove").endswith("To remove 1 file, 10 bytes, add --remove.")
    report.of("artifacts").removed.add(10)
    assert report.summary(removed=True, how="--remove").endswith("removed: 1 file, 10 bytes")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'{"files": {}}', True),
        (b'{"files": {}}\n', True),
        (b'{\n  "files": {}\n}', True),
        (b'{"a": "' + b"x" * HEAD_BYTES, True),
        (b'{"row": 1}\n{"row": 2}\n', False),
        (b"\x08\x00\x00\x00weights", False),
        (b"", False),
    ],
)
def test_json_documents_are_told_from_rows_and_weights(head: bytes, expected: bool) -> None:
    assert is_document(head[:HEAD_BYTES]) is expected


def test_digests_are_found_in_urls_and_nested_json_and_not_in_longer_numbers() -> None:
    one, two = "a1" * 32, "b2" * 32
    nested = json.dumps({"body": json.dumps({"uri": f"s3://bucket/sha256/a1/{one}", "sha256": two})})
    assert digests_in(nested.encode()) == {one, two}
    assert digests_in(b"0" * 65) == set()
