"""The files of the artifact store; each is named by its digest, which is checked when it is restored."""

from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

from shared.artifacts import Artifacts
from shared.backup.contents import BackupError
from shared.set_aside import digest_of

_DIGEST_CHARACTERS = 64


def save_artifacts(root: str, folder: Path) -> int:
    """Copy all complete artifacts to `folder`; their number. Pieces of unfinished uploads are left out."""
    fs: Any
    fs, path = fsspec.core.url_to_fs(root)  # type: ignore[reportUnknownMemberType]
    found: dict[str, str] = {}
    for place in fs.find(f"{path}/sha256"):
        name = PurePosixPath(place).name
        if len(name) == _DIGEST_CHARACTERS:
            found[name] = place
        elif digest := digest_of(name):
            # What an interrupted deletion has set aside may be needed: readers put it back.
            found.setdefault(digest, place)
    for digest, place in found.items():
        target = folder / digest[:2] / digest
        target.parent.mkdir(parents=True, exist_ok=True)
        fs.get_file(place, str(target))
    return len(found)


def restore_artifacts(folder: Path, store: Artifacts, expected: int) -> None:
    """Store each file again. Raises `BackupError` for a damaged or missing one."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    if len(paths) != expected:
        raise BackupError(f"{folder} holds {len(paths)} files, but {expected} were saved: copy the backup again")
    for path in sorted(paths):
        if (found := store.put_file(path).sha256) != path.name:
            raise BackupError(f"{path} is damaged: its content hashes to {found}")
