"""Artifacts that were stored long ago, on any store."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.memory import MemoryFileSystem

from shared.artifacts import Artifacts

TEN_DAYS_S = 10 * 86_400.0


def make_old(artifacts: Artifacts, *digests: str) -> None:
    """Each file was stored ten days ago."""
    for digest in digests:
        make_path_old(*_place(artifacts, digest))


def make_path_old(fs: Any, path: str) -> None:
    then = time.time() - TEN_DAYS_S
    if isinstance(fs, MemoryFileSystem):
        fs.store[path].modified = datetime.fromtimestamp(then, UTC)
    else:
        os.utime(path, (then, then))


def is_new(artifacts: Artifacts, digest: str) -> bool:
    fs, path = _place(artifacts, digest)
    return time.time() - fs.modified(path).timestamp() < 60


def _place(artifacts: Artifacts, digest: str) -> tuple[Any, str]:
    fs, root = fsspec.core.url_to_fs(artifacts.put_bytes(b"the store exists").uri.partition("/sha256/")[0])
    return fs, f"{root}/sha256/{digest[:2]}/{digest}"


def make_old_folder(path: Path) -> None:
    """It was written and used ten days ago."""
    then = time.time() - TEN_DAYS_S
    os.utime(path, (then, then))
