"""The time of a stored file, from which garbage collection counts its grace period."""

import os
import time
from typing import Any

REFRESH_S = 86_400.0
"""An object store cannot change the time of a file: an older file is written again when it is put again."""


def refreshed(fs: Any, path: str, *, local: bool) -> bool:
    """Whether a file is stored and new, so that it is not collected before an event names it.

    False if it must be written: it is missing, or its time cannot be changed.
    """
    if local:
        try:
            os.utime(path)
        except OSError:
            # Missing, or of another user.
            return False
        return True
    try:
        return time.time() - modified_at(fs, path) < REFRESH_S
    except FileNotFoundError:
        return False


def modified_at(fs: Any, path: str) -> float:
    """When a file was written or refreshed, in Unix seconds; raises `FileNotFoundError`."""
    return fs.modified(path).timestamp()
