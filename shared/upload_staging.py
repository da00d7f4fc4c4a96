"""Pieces of content that is not complete yet, beside the artifacts: `<root>/staging/<id>/<piece>`."""

import errno
import hashlib
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import fsspec

from shared import local_files
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
        """Store a piece, once: a reader would see half of one that is replaced.

        Raises `ArtifactStoreAway` if the store was there before and is gone.
        """
        if not self._fs.exists(self._root):
            # Creates the store on its first use only.
            self._artifacts.put_bytes(b"ready\n")
        target = self._path(group, piece)
        if not self._local:
            self._fs.put_file(str(source), target)
            return
        with source.open("rb") as reader, _created(target) as writer:
            try:
                local_files.copy(reader, writer)
            except BaseException:
                # On a full disk the piece would keep its space.
                self.remove(group, piece)
                raise

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
        """Remove all pieces of a group, if it exists. A piece that arrives meanwhile may stay."""
        folder = f"{self._root}/staging/{group}"
        if self._local:
            shutil.rmtree(folder, onerror=_unless_changed)
            return
        with suppress(FileNotFoundError):
            self._fs.rm(folder, recursive=True)

    def _path(self, group: str, piece: str) -> str:
        return f"{self._root}/staging/{group}/{piece}"


def _created(target: str) -> BinaryIO:
    while True:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        # The folder is removed with the last piece of its group, perhaps at this moment.
        with suppress(FileNotFoundError):
            return open(target, "xb")


def _unless_changed(_function: Any, _path: str, error: Any) -> None:
    """Raise an error of `rmtree`, unless another process removed or put a piece meanwhile."""
    if error[1].errno not in (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST):
        raise error[1]
