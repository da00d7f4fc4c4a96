"""Pieces of content that is not complete yet, beside the artifacts: `<root>/staging/<id>/<piece>`."""

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import fsspec

from shared.artifacts import Artifacts

_CHUNK_BYTES = 1024 * 1024


class UploadStaging:
    """Below the same fsspec URL as the artifacts, so that all replicas of a service see the pieces."""

    def __init__(self, root: str, artifacts: Artifacts) -> None:
        self._fs: Any
        self._fs, path = fsspec.core.url_to_fs(root)  # type: ignore[reportUnknownMemberType]
        self._root = str(path).rstrip("/")
        self._local = "file" in (self._fs.protocol if isinstance(self._fs.protocol, tuple) else (self._fs.protocol,))
        self._artifacts = artifacts

    def put(self, group: str, piece: str, source: Path) -> None:
        """Store a piece. Raises `ArtifactStoreAway` if the store was there before and is gone."""
        if not self._fs.exists(self._root):
            # Creates the store on its first use only.
            self._artifacts.put_bytes(b"ready\n")
        target = self._path(group, piece)
        self._fs.makedirs(os.path.dirname(target), exist_ok=True)
        self._fs.put_file(str(source), target)
        if self._local:
            with open(target, "rb") as written:
                os.fsync(written.fileno())

    def join(self, group: str, pieces: Sequence[str], target: Path) -> str:
        """Write the pieces after each other to `target`; the MD5 of the whole. Raises `FileNotFoundError`."""
        digest = hashlib.md5(usedforsecurity=False)
        with target.open("wb") as writer:
            for piece in pieces:
                with self._fs.open(self._path(group, piece), "rb") as reader:
                    while chunk := reader.read(_CHUNK_BYTES):
                        digest.update(chunk)
                        writer.write(chunk)
        return digest.hexdigest()

    def remove(self, group: str, piece: str) -> None:
        """Remove a piece; one that is missing is no error."""
        with suppress(FileNotFoundError):
            self._fs.rm_file(self._path(group, piece))

    def remove_all(self, group: str) -> None:
        """Remove all pieces of a group; a missing group is no error."""
        with suppress(FileNotFoundError):
            self._fs.rm(f"{self._root}/staging/{group}", recursive=True)

    def _path(self, group: str, piece: str) -> str:
        return f"{self._root}/staging/{group}/{piece}"
