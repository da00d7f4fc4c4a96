"""The files of archived events: JSON Lines, compressed with gzip, named by the places of their first and last event."""

import gzip
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem
from pydantic import BaseModel

from shared.artifacts import check_present
from shared.settings import CommonSettings

_NAME = re.compile(r"events-(\d{12})-(\d{12})\.jsonl\.gz")
_REBUILDING = "rebuilding.json"


def archive_url(settings: CommonSettings) -> str:
    """Beside the artifacts, whose files are below `sha256/`."""
    return f"{settings.artifacts.rstrip('/')}/events"


class ArchiveError(Exception):
    """Events cannot be archived or put back; the message says what to do."""


@dataclass(frozen=True)
class ArchivedEvent:
    """One message of the stream; `place` is its sequence number, `stored_at` its time in ISO 8601."""

    place: int
    stored_at: str
    subject: str
    data: bytes
    headers: dict[str, str] = field(default_factory=dict[str, str])

    def as_line(self) -> str:
        # Bytes that are not UTF-8 come back as they were.
        text = self.data.decode(errors="surrogateescape")
        return json.dumps({**vars(self), "data": text}) + "\n"

    @classmethod
    def of_line(cls, line: str) -> "ArchivedEvent":
        found = json.loads(line)
        return cls(**{**found, "data": found["data"].encode(errors="surrogateescape")})


@dataclass(frozen=True, order=True)
class Segment:
    """One file, with the places of its first and last event."""

    first: int
    last: int

    @property
    def name(self) -> str:
        return f"events-{self.first:012}-{self.last:012}.jsonl.gz"


class Rebuilding(BaseModel):
    """What a restore needs to go on after it was interrupted.

    `positions` are the places from which each consumer goes on, `last` is the place of the last event. `done` says that
    the stream is whole, so that the files may go.
    """

    positions: dict[str, int]
    last: int
    done: bool = False


class Archive:
    """The files below one fsspec URL, which may be a folder or a bucket.

    Raises `ArtifactStoreAway` while the folder that a local one lies in is gone.
    """

    def __init__(self, url: str) -> None:
        self._fs: Any
        self._fs, path = fsspec.core.url_to_fs(url)  # type: ignore[reportUnknownMemberType]
        self._root = str(path).rstrip("/")
        self._local = isinstance(self._fs, LocalFileSystem)

    def segments(self) -> list[Segment]:
        """All files, the oldest first."""
        self._check_present()
        names = self._fs.find(self._root) if self._fs.exists(self._root) else []
        found = (_NAME.fullmatch(Path(name).name) for name in names)
        return sorted(Segment(int(name[1]), int(name[2])) for name in found if name)

    def write(self, events: Sequence[ArchivedEvent]) -> Segment:
        """Write one file and read it back; raises `ArchiveError` if it does not hold the same."""
        segment = Segment(events[0].place, events[-1].place)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / segment.name
            # Without its time, so that a copy of the file is equal.
            with gzip.GzipFile(path, "wb", mtime=0) as file:
                file.writelines(event.as_line().encode() for event in events)
            self._put(path, segment.name)
        if list(self.read(segment)) != list(events):
            raise ArchiveError(f"{segment.name} could not be read back; nothing was removed from the stream")
        return segment

    def read(self, segment: Segment) -> Iterator[ArchivedEvent]:
        with self._fs.open(f"{self._root}/{segment.name}", "rb") as raw, gzip.open(raw, "rt", encoding="utf-8") as file:
            yield from map(ArchivedEvent.of_line, file)

    def remove(self, segment: Segment) -> None:
        self._fs.rm_file(f"{self._root}/{segment.name}")

    def note_rebuilding(self, notes: Rebuilding) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / _REBUILDING
            path.write_text(notes.model_dump_json(indent=1))
            self._put(path, _REBUILDING)

    def rebuilding(self) -> Rebuilding | None:
        """The notes of a restore that was interrupted; None without one."""
        path = f"{self._root}/{_REBUILDING}"
        return Rebuilding.model_validate_json(self._fs.cat_file(path)) if self._fs.exists(path) else None

    def forget_rebuilding(self) -> None:
        self._fs.rm_file(f"{self._root}/{_REBUILDING}")

    def _check_present(self) -> None:
        if self._local:
            check_present(str(Path(self._root).parent))

    def _put(self, source: Path, name: str) -> None:
        self._check_present()
        self._fs.makedirs(self._root, exist_ok=True)
        # On a local disk a file is visible only when it is complete; object stores do so by themselves.
        self._fs.put_file(str(source), f"{self._root}/{name}.part")
        self._fs.mv(f"{self._root}/{name}.part", f"{self._root}/{name}")
