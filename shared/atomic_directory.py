"""Directories that appear complete or not at all, and go at once, although several processes use them."""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def atomic_directory(target: Path) -> Generator[Path]:
    """A new directory beside `target`, renamed to `target` when the block ends and removed when the block fails."""
    scratch = target.with_name(f".{target.name}.{uuid4().hex}")
    scratch.mkdir(parents=True)
    try:
        yield scratch
        os.replace(scratch, target)
    except OSError:
        # Another process was faster; its directory has the same content.
        if not target.is_dir():
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def remove_at_once(path: Path, before: float) -> bool:
    """Remove a file or directory that was last changed before that Unix time, so that others see all of it or nothing.

    Returns whether it was removed.
    """
    aside = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        if path.stat().st_mtime >= before:
            return False
        os.rename(path, aside)
    except FileNotFoundError:
        return False
    if aside.is_dir():
        shutil.rmtree(aside, ignore_errors=True)
    else:
        aside.unlink()
    return True


def boot_id() -> str:
    """Part of the name of a directory that is not fsynced: after a reboot it may be torn, so the name changes."""
    return Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
