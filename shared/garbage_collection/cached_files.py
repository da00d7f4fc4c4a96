"""The entries of `ASSAY_CACHE_DIR` on this machine: fetched adapters, indexes, and merged weights."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.atomic_directory import boot_id, remove_at_once
from shared.garbage_collection.marks import Marks

CacheKind = Literal["cached artifacts", "merged weights"]


@dataclass(frozen=True)
class CacheEntry:
    """A file or folder. `needed` is whether something may still read it."""

    kind: CacheKind
    path: Path
    bytes: int
    needed: bool


@dataclass(frozen=True)
class CachedFiles:
    """`root` need not exist."""

    root: Path

    def all(self, marks: Marks) -> Iterator[CacheEntry]:
        """An artifact is needed while something names it: engines read a loaded adapter again from its path."""
        for folder in ("adapters", "indexes"):
            for path in _children(self.root / folder):
                yield CacheEntry("cached artifacts", path, _size(path), _digest(path) in marks)
        for path in self._merged():
            yield CacheEntry("merged weights", path, _size(path), _is_of_this_boot(path))

    def _merged(self) -> Iterator[Path]:
        """The gateway's are `<version>.<base>.<boot>`, an evaluator's `<engine>/<boot>`.

        Those of an earlier boot are never read again. On a shared volume one of another machine's boot may be needed:
        it is made again.
        """
        for path in _children(self.root / "merged"):
            yield from [path] if "." in path.name else _children(path)

    def is_older(self, entry: CacheEntry, before: float) -> bool:
        try:
            return entry.path.stat().st_mtime < before
        except FileNotFoundError:
            return False

    def remove(self, entry: CacheEntry, before: float) -> bool:
        """Remove an entry at once, as others see it; whether it was removed."""
        return remove_at_once(entry.path, before)


def _children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _digest(path: Path) -> str:
    """The name of an entry is its digest; that of a fetch that was not completed begins with a dot."""
    return path.name.removesuffix(".npz")


def _is_of_this_boot(path: Path) -> bool:
    return boot_id() in path.name and not path.name.startswith(".")


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
