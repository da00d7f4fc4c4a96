"""Files inside gz and zip: opened as a stream that stops at a limit, never written under the name that they give."""

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from services.ingest.reading.limits import MIB, Limits
from services.ingest.reading.refusal import FileRefused

T = TypeVar("T")
_SMALL_BYTES = 64 * MIB
_DAMAGED = (zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError)
_MAGIC = {
    b"%PDF": "a PDF document",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"GIF8": "an image",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"(\xb5/\xfd": "a zstd file",
    b"SQLite format 3": "an SQLite database",
    b"\xd0\xcf\x11\xe0": "an old Office file (xls, doc)",
    b"ARROW1": "an Arrow file",
}
_FORMATS = "CSV, TSV, JSON, JSON Lines, Parquet, xlsx or ods, plain or as gz or zip"


def unpack(path: Path, containers: list[str], limits: Limits) -> tuple[Any, str]:
    """The innermost stream and its name; `containers` is filled. A zip file must hold one file."""
    stream: Any = path.open("rb")
    name = ""
    limit = min(limits.unpacked, max(_SMALL_BYTES, limits.ratio * path.stat().st_size))
    while True:
        head = peek(stream, 4)
        if head[:2] == b"\x1f\x8b":
            stream = Unpacked(gzip.GzipFile(fileobj=stream), "gz", limit)
            containers.append("gz")
        elif head == b"PK\x03\x04" and not containers and (member := _only_member(stream)) is not None:
            stream, name = member[0], member[1]
            stream = Unpacked(stream, "zip", limit)
            containers.append("zip")
        elif head == b"PK\x05\x06":
            raise FileRefused("empty_archive", "the zip file is empty", "put one file of rows into it")
        else:
            return stream, name
        if len(containers) > 2:
            raise FileRefused("nested_archives", "the archive has archives on three levels", "unpack it once")


class Unpacked(io.RawIOBase):
    """A decompressed stream; raises `FileRefused` past `limit` bytes or where it is damaged."""

    def __init__(self, source: Any, kind: str, limit: int) -> None:
        self._source = source
        self._kind = kind
        self._limit = limit
        self._read = 0
        self._pushed = b""

    def readable(self) -> bool:
        return True

    def push_back(self, content: bytes) -> None:
        """Give bytes that were read back, to be read again."""
        self._pushed = content + self._pushed

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        content = self.read(len(view))
        view[: len(content)] = content
        return len(content)

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self.read(MIB), b""))
        if self._pushed:
            content, self._pushed = self._pushed[:size], self._pushed[size:]
            return content
        content = guarded(self._kind, lambda: self._source.read(size))
        self._read += len(content)
        if self._read > self._limit:
            reason = f"the {self._kind} file unpacks to more than {self._limit // MIB} MiB"
            raise FileRefused("archive_too_large", reason, "upload the unpacked file, or split it into several")
        return content


def guarded(kind: str, read: Callable[[], T]) -> T:
    """The result of `read`, with a damaged archive as `FileRefused`."""
    try:
        return read()
    except _DAMAGED as error:
        reason = f"the {kind} file is damaged or was cut off: {str(error)[:200]}"
        raise FileRefused("damaged_archive", reason, "make the archive again and upload it again") from None


def peek(stream: Any, size: int) -> bytes:
    """The next bytes, without taking them."""
    if isinstance(stream, Unpacked):
        parts: list[bytes] = []
        while sum(map(len, parts)) < size and (part := stream.read(size)):
            parts.append(part)
        content = b"".join(parts)
        stream.push_back(content)
        return content[:size]
    at = stream.tell()
    content = stream.read(size)
    stream.seek(at)
    return content


def refuse_other_kinds(head: bytes) -> None:
    """Raise `FileRefused` for content that is known to be of another kind."""
    kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    if head[257:262] == b"ustar":
        kind = "a tar archive"
    if kind is not None:
        raise FileRefused("unsupported_format", f"the file is {kind}", f"save the rows as {_FORMATS}")
    if head.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        fix = "download the data itself: this is a web page, perhaps a sign-in or error page"
        raise FileRefused("html", "the file is an HTML page", fix)


def _only_member(stream: Any) -> tuple[Any, str] | None:
    """The one file of a zip archive; None for a workbook, which is a zip archive too."""
    archive = guarded("zip", lambda: zipfile.ZipFile(stream))
    names = set(archive.namelist())
    if names & {"xl/workbook.xml", "content.xml", "[Content_Types].xml"}:
        stream.seek(0)
        return None
    members = [one for one in archive.infolist() if not one.is_dir() and not _is_hidden(one.filename)]
    if len(members) != 1:
        reason = f"the zip file holds {len(members)} files"
        raise FileRefused("several_files", reason, "put exactly one file of rows into it")
    if members[0].flag_bits & 1:
        raise FileRefused("encrypted", "the zip file is encrypted", "pack it without a password")
    opened = guarded("zip", lambda: archive.open(members[0]))
    return opened, Path(members[0].filename.replace("\\", "/").replace("\x00", "")).name


def _is_hidden(name: str) -> bool:
    return name.startswith("__MACOSX/") or name.rsplit("/", 1)[-1].startswith(".")
