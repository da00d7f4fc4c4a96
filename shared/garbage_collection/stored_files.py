"""The files of the artifact store: artifacts, pieces of unfinished writes, and parts of uploads."""

import os
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal
from uuid import uuid4

import fsspec

from shared.artifact_age import modified_at
from shared.artifact_mentions import HEAD_BYTES, MAX_DOCUMENT_BYTES, is_document
from shared.artifacts import check_present
from shared.set_aside import digest_of

Kind = Literal["artifacts", "unfinished writes", "parts of uploads"]
_DIGEST_CHARACTERS = 64


@dataclass(frozen=True)
class StoredFile:
    """`path` is that of the file system; `digest` is empty but for artifacts."""

    kind: Kind
    path: str
    bytes: int
    digest: str = ""


class StoredFiles:
    """Everything below one fsspec URL that may be removed."""

    def __init__(self, root: str) -> None:
        self._fs: Any
        self._fs, path = fsspec.core.url_to_fs(root)  # type: ignore[reportUnknownMemberType]
        self.root = str(path).rstrip("/")
        self._local = "file" in (self._fs.protocol if isinstance(self._fs.protocol, tuple) else (self._fs.protocol,))
        if self._local:
            check_present(self.root)

    def documents(self, digests: Sequence[str]) -> Iterator[bytes]:
        """The content of those artifacts that may name others. A missing artifact is skipped."""
        paths = [f"{self.root}/sha256/{digest[:2]}/{digest}" for digest in digests]
        # Object stores read them side by side.
        heads = self._fs.cat_ranges(paths, 0, HEAD_BYTES, on_error="return")
        for path, head in zip(paths, heads, strict=True):
            # A service may delete it at any moment.
            with suppress(FileNotFoundError):
                if isinstance(head, Exception):
                    if not isinstance(head, FileNotFoundError) and self._fs.size(path):
                        raise head
                elif is_document(head):
                    yield from [head] if len(head) < HEAD_BYTES else self._whole(path)

    def _whole(self, path: str) -> Iterator[bytes]:
        if self._fs.size(path) <= MAX_DOCUMENT_BYTES:
            yield self._fs.cat_file(path)

    def all(self) -> Iterator[StoredFile]:
        """Every file that may be removed, folder by folder. Files that Assay does not write are left out."""
        for folder in self._entries("sha256", "directory"):
            entries = self._entries(f"sha256/{PurePosixPath(folder['name']).name}", "file")
            names = {PurePosixPath(entry["name"]).name for entry in entries}
            for entry in entries:
                if stored := _artifact_or_piece(entry, names):
                    yield stored
        for entry in self._entries("runs", "file"):
            if entry["name"].endswith(".part"):
                yield StoredFile("unfinished writes", entry["name"], entry["size"])
        for folder in self._entries("staging", "directory"):
            for entry in self._entries(f"staging/{PurePosixPath(folder['name']).name}", "file"):
                yield StoredFile("parts of uploads", entry["name"], entry["size"])

    def is_older(self, file: StoredFile, before: float) -> bool:
        """Whether a file was last written or refreshed before this time; False if it is gone."""
        try:
            return modified_at(self._fs, file.path) < before
        except FileNotFoundError:
            return False

    def remove(self, file: StoredFile, before: float) -> bool:
        """Remove a file unless it was refreshed meanwhile; whether it was removed."""
        if not self._local:
            self._fs.invalidate_cache()
            if not self.is_older(file, before):
                return False
            self._fs.rm_file(file.path)
            return True
        # Set aside first: a file that is put again from now on is written anew.
        aside = f"{file.path}.{uuid4().hex}.part"
        try:
            os.rename(file.path, aside)
        except FileNotFoundError:
            return False
        if os.stat(aside).st_mtime >= before:
            os.rename(aside, file.path)
            return False
        os.unlink(aside)
        if file.kind == "parts of uploads":
            with suppress(OSError):
                os.rmdir(os.path.dirname(file.path))
        return True

    def _entries(self, folder: str, kind: str) -> list[dict[str, Any]]:
        try:
            entries = self._fs.ls(f"{self.root}/{folder}", detail=True)
        except FileNotFoundError:
            return []
        return [entry for entry in entries if entry["type"] == kind]


def _artifact_or_piece(entry: dict[str, Any], names: Container[str]) -> StoredFile | None:
    """`names` are those of the folder."""
    name = PurePosixPath(entry["name"]).name
    if len(name) == _DIGEST_CHARACTERS:
        return StoredFile("artifacts", entry["name"], entry["size"], name)
    digest = digest_of(name)
    if digest and digest not in names:
        # Its deletion was interrupted. If it is named, the next reader puts it back.
        return StoredFile("artifacts", entry["name"], entry["size"], digest)
    if digest or name.endswith(".part"):
        return StoredFile("unfinished writes", entry["name"], entry["size"])
    return None
