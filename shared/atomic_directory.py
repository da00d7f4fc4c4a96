"""Directories that appear complete or not at all, although several processes may write them at once."""

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


def boot_id() -> str:
    """Part of the name of a directory that is not fsynced: after a reboot it may be torn, so the name changes."""
    return Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
