"""Folders that several processes may make at once, and that are there whole or not at all."""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def whole_folder(target: Path) -> Generator[Path]:
    """A new folder beside `target`, moved there when the block ends; it is gone when the block fails."""
    scratch = target.with_name(f".{target.name}.{uuid4().hex}")
    scratch.mkdir(parents=True)
    try:
        yield scratch
        os.replace(scratch, target)
    except OSError:
        # Another process that shares the place was faster: what lies there is the same.
        if not target.is_dir():
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def this_boot() -> str:
    """A part of names for folders that are not written through to the disk, and may be torn after the next start."""
    return Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
