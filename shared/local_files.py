"""Files of a store that is a folder: written completely or not at all, and linked where they would be copied."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

_CHUNK_BYTES = 1024 * 1024


def write(source: Path, target: str) -> None:
    """Copy a file to `target`, which has either all of it or nothing."""
    temporary = f"{target}.{uuid4().hex}.part"
    try:
        with source.open("rb") as reader, open(temporary, "wb") as writer:
            copy(reader, writer)
        os.replace(temporary, target)
    except BaseException:
        # On a full disk the piece would keep its space.
        with suppress(OSError):
            os.unlink(temporary)
        raise


def copy(reader: BinaryIO, writer: BinaryIO) -> None:
    """Copy the rest of a file; it is on the disk when this returns."""
    shutil.copyfileobj(reader, writer, _CHUNK_BYTES)
    writer.flush()
    os.fsync(writer.fileno())


def linked(source: str, target: Path) -> bool:
    """Hard-link instead of copying; safe because neither file is ever changed."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        # Another file system, or one without hard links.
        return False
    return True
