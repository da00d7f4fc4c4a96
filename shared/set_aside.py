"""Deletes a stored file that something may come to need meanwhile: it has another name until that is known."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import uuid4

from shared.events import Artifact

SUFFIX = ".aside"
_DIGEST_CHARACTERS = 64


@dataclass(frozen=True)
class SetAside:
    """`path` is where it was: a file that is put there again is a new one."""

    fs: Any
    path: str
    aside: str
    local: bool

    @classmethod
    def of(cls, fs: Any, path: str, *, local: bool) -> "SetAside | None":
        """None if the file is missing, or another deletion was faster."""
        file = cls(fs, path, f"{path}.{uuid4().hex}{SUFFIX}", local)
        try:
            file._move(path, file.aside)
        except FileNotFoundError:
            return None
        return file

    def put_back(self) -> None:
        """Nothing happens if a reader has put it back."""
        with suppress(FileNotFoundError):
            self._move(self.aside, self.path)

    def remove(self) -> None:
        """Nothing happens if a reader has put it back."""
        with suppress(FileNotFoundError):
            self.fs.rm_file(self.aside)

    def _move(self, source: str, target: str) -> None:
        if self.local:
            os.replace(source, target)
            return
        # An object store has no rename; until the copy is there, the source is.
        self.fs.cp_file(source, target)
        self.fs.rm_file(source)


def digest_of(name: str) -> str:
    """The digest of the artifact that is set aside under this name; empty for another name."""
    digest = name.partition(".")[0]
    return digest if name.endswith(SUFFIX) and len(digest) == _DIGEST_CHARACTERS else ""


def put_back(fs: Any, path: str, *, local: bool) -> None:
    """Put back what a deletion has set aside that is under way, or was interrupted."""
    folder, _, name = path.rpartition("/")
    # With a prefix because an object store would otherwise list, and remember, the whole folder.
    for aside in fs.find(folder, prefix=f"{name}."):
        if aside.startswith(f"{path}.") and aside.endswith(SUFFIX):
            SetAside(fs, path, aside, local).put_back()


class DeletableFiles(Protocol):
    """Artifacts that can be deleted."""

    def set_aside(self, artifact: Artifact) -> SetAside | None: ...


async def delete_unneeded(
    files: DeletableFiles, artifact: Artifact, is_needed: Callable[[Artifact], Awaitable[bool]]
) -> None:
    """Delete an artifact unless something refers to it.

    Code that stores equal content meanwhile must save what refers to it, then ask whether the content is there, and
    store it again if not. So one of the two always sees the other.
    """
    if await is_needed(artifact):
        return
    aside = await asyncio.to_thread(files.set_aside, artifact)
    if aside is None:
        return
    needed = True
    try:
        needed = await is_needed(artifact)
    finally:
        # Also put back if it cannot be known.
        await asyncio.to_thread(aside.put_back if needed else aside.remove)
