"""Content-addressed artifacts on any fsspec store: written atomically, verified when read, never pickled."""

import asyncio
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

import fsspec

from shared import local_files
from shared.artifact_age import refreshed
from shared.artifact_mentions import HEAD_BYTES, MAX_DOCUMENT_BYTES, digests_in, is_document
from shared.atomic_directory import atomic_directory
from shared.events import Artifact
from shared.set_aside import SetAside, put_back
from shared.throttle import Wait, no_wait

_CHUNK_BYTES = 1024 * 1024
_FOLDER_SUFFIXES = {".safetensors", ".json", ".jsonl", ".txt", ".model", ".jinja", ".md"}
_PICKLE_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")


class ArtifactError(Exception):
    """An artifact is missing, does not match its digest, or holds a forbidden file."""


class ArtifactStoreAway(OSError):
    """The folder of the store is gone, for example because its file system is not mounted."""


class Artifacts:
    """A content-addressed store below one fsspec URL: `<root>/sha256/<2 hex>/<64 hex>`.

    Without `create` a local folder must exist: a process that starts while its file system is not mounted would
    otherwise store files where the mount hides them.
    """

    def __init__(self, root: str, *, create: bool = True) -> None:
        self._fs: Any
        self._fs, path = fsspec.core.url_to_fs(root)  # type: ignore[reportUnknownMemberType]
        self._root: str = str(path).rstrip("/")
        self._local = "file" in (self._fs.protocol if isinstance(self._fs.protocol, tuple) else (self._fs.protocol,))
        self._was_present = not create

    def put_bytes(self, content: bytes) -> Artifact:
        """Store bytes; the same bytes are stored once."""
        digest = hashlib.sha256(content).hexdigest()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / digest
            path.write_bytes(content)
            return self._store(path, digest, len(content))

    def put_file(self, path: Path) -> Artifact:
        """Store one file."""
        return self._store(path, _digest(path), path.stat().st_size)

    def put_folder(self, folder: Path) -> Artifact:
        """Store a folder's files and then the manifest that lists them.

        Raises `ArtifactError` for a file that is, or could be, a pickle.
        """
        files: dict[str, dict[str, Any]] = {}
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            _refuse_pickle(path)
            stored = self.put_file(path)
            files[path.relative_to(folder).as_posix()] = {"sha256": stored.sha256, "bytes": stored.bytes}
        manifest = self.put_bytes(json.dumps({"files": files}, sort_keys=True).encode())
        return manifest.model_copy(update={"bytes": sum(f["bytes"] for f in files.values())})

    def read(self, artifact: Artifact) -> bytes:
        """A file's bytes; raises `ArtifactError` when they are missing or do not match the digest."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / artifact.sha256
            self._fetch(artifact.sha256, path)
            return path.read_bytes()

    def contains(self, artifact: Artifact) -> bool:
        """Whether the store holds this artifact, of this size; a folder's size is not compared."""
        try:
            size = self._read_at(artifact.sha256, self._fs.size)
        except FileNotFoundError:
            self._check_present()
            return False
        return artifact.bytes >= size if artifact.bytes else True

    def keep(self, artifact: Artifact) -> bool:
        """Like `contains`; garbage collection leaves the artifact for another grace period, with all that it names.

        For an artifact that was stored before, possibly long ago, and is about to be named in an event.
        """
        if not self.contains(artifact):
            return False
        try:
            kept, waiting = {artifact.sha256}, self._keep_file(artifact.sha256)
        except FileNotFoundError:
            return False
        while waiting := waiting - kept:
            digest = waiting.pop()
            kept.add(digest)
            with suppress(FileNotFoundError):
                waiting |= self._keep_file(digest)
        return True

    def set_aside(self, artifact: Artifact) -> SetAside | None:
        """Begin the deletion of a file that something may come to need meanwhile; None if it is missing.

        If it is not ended, because its process was killed, the next reader puts the file back.
        """
        return SetAside.of(self._fs, self._path(artifact.sha256), local=self._local)

    def fetch_file(self, artifact: Artifact, target: Path) -> None:
        """Put a file at `target`, complete or not at all; raises `ArtifactError` when it is missing or damaged.

        Several callers may fetch the same file to the same place at once.
        """
        fetched = target.with_name(f".{target.name}.{uuid4().hex}")
        try:
            self._fetch(artifact.sha256, fetched)
            os.replace(fetched, target)
        finally:
            # A rename between two links of one file does nothing, so the first one is still there.
            fetched.unlink(missing_ok=True)

    def open(self, artifact: Artifact) -> Any:
        """A file to read pieces of by position, without checking its digest."""
        return self._read_at(artifact.sha256, lambda path: self._fs.open(path, "rb"))

    def fetch_folder(self, artifact: Artifact, cache: Path, wait: Wait = no_wait) -> Path:
        """A read-only folder `cache/<digest>`, fetched once and moved into place when complete."""
        target = cache / artifact.sha256
        if target.is_dir():
            return target
        with atomic_directory(target) as scratch:
            for name, entry in json.loads(self.read(artifact))["files"].items():
                self._fetch(entry["sha256"], scratch / _safe(name), wait)
        return target

    async def ready(self) -> None:
        """Raise an error when the store cannot be reached or written."""
        await asyncio.to_thread(self.put_bytes, b"ready\n")

    def _path(self, digest: str) -> str:
        return f"{self._root}/sha256/{digest[:2]}/{digest}"

    def _read_at(self, digest: str, read: Callable[[str], Any]) -> Any:
        """What `read` makes of a file's path. Raises `FileNotFoundError`."""
        path = self._path(digest)
        try:
            return read(path)
        except FileNotFoundError:
            put_back(self._fs, path, local=self._local)
            return read(path)

    def _copy(self, path: str, target: Path) -> None:
        if not (self._local and local_files.linked(path, target)):
            self._fs.get_file(path, str(target))

    def _check_present(self) -> None:
        if self._local:
            check_present(self._root)

    def _keep_file(self, digest: str) -> set[str]:
        """Refresh a file; the digests that it names. Raises `FileNotFoundError`."""
        path = self._path(digest)
        if not refreshed(self._fs, path, local=self._local):
            with tempfile.TemporaryDirectory() as folder:
                self._fs.get_file(path, f"{folder}/copy")
                self._write(Path(folder) / "copy", path)
        size = self._fs.size(path)
        if 0 < size <= MAX_DOCUMENT_BYTES and is_document(self._fs.cat_file(path, start=0, end=HEAD_BYTES)):
            return digests_in(self._fs.cat_file(path))
        return set()

    def _store(self, source: Path, digest: str, size: int) -> Artifact:
        if not self._was_present:
            self._fs.makedirs(self._root, exist_ok=True)
            self._was_present = True
        target = self._path(digest)
        artifact = Artifact(uri=self._fs.unstrip_protocol(target), sha256=digest, bytes=size)
        if not refreshed(self._fs, target, local=self._local):
            self._check_present()
            self._fs.makedirs(os.path.dirname(target), exist_ok=True)
            self._write(source, target)
        return artifact

    def _write(self, source: Path, target: str) -> None:
        if self._local:
            local_files.write(source, target)
        else:
            # An object store makes an object visible only when it is complete.
            self._fs.put_file(str(source), target)

    def _fetch(self, digest: str, target: Path, wait: Wait = no_wait) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._read_at(digest, lambda path: self._copy(path, target))
        except FileNotFoundError:
            self._check_present()
            raise ArtifactError(f"artifact sha256:{digest} is missing from the store") from None
        if (found := _digest(target, wait)) != digest:
            target.unlink()
            raise ArtifactError(f"artifact sha256:{digest} is damaged: its content hashes to {found}")


def check_present(folder: str) -> None:
    """Raise `ArtifactStoreAway` for a missing folder: an empty one would make every artifact look deleted."""
    if not Path(folder).is_dir():
        raise ArtifactStoreAway(
            f"the artifact store {folder} is not there: mount its file system, or make the folder if it is new"
        )


def _digest(path: Path, wait: Wait = no_wait) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            wait()
    return digest.hexdigest()


def _safe(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\x00" in name:
        raise ArtifactError(f"a manifest names a file outside its folder: {name!r}")
    return path


def _refuse_pickle(path: Path) -> None:
    if path.suffix not in _FOLDER_SUFFIXES:
        raise ArtifactError(f"{path.name}: only {', '.join(sorted(_FOLDER_SUFFIXES))} files are stored, never pickles")
    with path.open("rb") as file:
        if file.read(4).startswith(_PICKLE_STARTS):
            raise ArtifactError(f"{path.name}: a pickle or an archive under another name; such files are not stored")
