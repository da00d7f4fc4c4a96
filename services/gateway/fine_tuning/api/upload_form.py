"""Reads an upload piece by piece: the file goes to disk, whatever its size, the other fields are kept."""

import asyncio
import errno
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from litestar import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from services.gateway.common.domain.errors import BadRequest, TooLarge
from services.gateway.fine_tuning.domain.upload_request import check_field
from shared.web import Unavailable

MAX_FIELDS_BYTES = 64 * 1024
"""Of all fields and boundaries beside the file."""
MAX_FILENAME = 1024


@dataclass(frozen=True)
class UploadForm:
    """A received form. `path` is removed when its request ends."""

    path: Path
    filename: str
    fields: dict[str, str]


@dataclass(frozen=True)
class FileField:
    """The field of a form that holds a file. `check_other` raises `BadRequest` for a further field that is unknown."""

    name: str
    max_bytes: int
    limit: str
    check_other: Callable[[str], None]

    def too_large(self) -> TooLarge:
        message = f"The content of {self.name!r} is too large: {self.limit}."
        return TooLarge(message, param=self.name, code="file_too_large")


def file_field(max_file_bytes: int) -> FileField:
    """The field of a file that is uploaded in one request."""
    limit = f"this server takes at most {max_file_bytes} bytes (GATEWAY_MAX_FILE_BYTES)"
    return FileField("file", max_file_bytes, limit, check_field)


@asynccontextmanager
async def received(request: Request[Any, Any, Any], file: FileField) -> AsyncGenerator[UploadForm]:
    """The form of a request; raises `BadRequest` or `TooLarge`. Nothing is left on disk, also of a broken upload.

    A full disk is `Unavailable`, in the block too.
    """
    if (request.content_length or 0) > file.max_bytes + MAX_FIELDS_BYTES:
        raise file.too_large()
    with full_disk_is_unavailable(), TemporaryDirectory(prefix="assay-upload-") as folder:
        path = Path(folder) / "upload"
        with path.open("wb") as target:
            parts = await _parse(request, _FormParts(target, file))
        yield parts.form(path)


@contextmanager
def full_disk_is_unavailable() -> Generator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise Unavailable("the disk of this server is full") from None


async def _parse(request: Request[Any, Any, Any], parts: "_FormParts") -> "_FormParts":
    content_type, options = parse_options_header(request.headers.get("content-type"))
    if content_type != b"multipart/form-data" or not options.get(b"boundary"):
        name = parts.file.name
        message = f"Send the file as multipart/form-data with a boundary, in the field {name!r}."
        raise BadRequest(message, param=name, code="invalid_content_type")
    try:
        parser = MultipartParser(options[b"boundary"], parts.callbacks())
        async for chunk in request.stream():
            # Callbacks write to the disk.
            await asyncio.to_thread(parser.write, chunk)
    except FormParserError as error:
        raise BadRequest(f"The form cannot be read: {error}.", code="invalid_form") from None
    return parts


@dataclass
class _FormParts:
    """Receives what the parser finds: headers and content of one part after the other."""

    target: BinaryIO
    file: FileField
    filename: str | None = None
    fields: dict[str, bytearray] = field(default_factory=dict[str, bytearray])
    complete: bool = False
    _header: bytearray = field(default_factory=bytearray)
    _header_value: bytearray = field(default_factory=bytearray)
    _disposition: bytes = b""
    _field: bytearray | None = None
    """The content of the part that is being read; None for the file's."""
    _file_bytes: int = 0
    _field_bytes: int = 0

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self.begin,
            "on_header_field": self.header_field,
            "on_header_value": self.header_value,
            "on_header_end": self.header_end,
            "on_headers_finished": self.headers_finished,
            "on_part_data": self.data,
            "on_end": self.end,
        }

    def begin(self) -> None:
        self._disposition = b""

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._header.extend(data[start:end])

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value.extend(data[start:end])

    def header_end(self) -> None:
        if bytes(self._header).lower() == b"content-disposition":
            self._disposition = bytes(self._header_value)
        self._header.clear()
        self._header_value.clear()

    def headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition.decode("latin-1"))
        name = options.get(b"name", b"").decode(errors="replace")
        if name == self.file.name:
            self._begin_file(options.get(b"filename"))
            return
        self.file.check_other(name)
        if name in self.fields:
            raise BadRequest(f"{name!r} was sent twice; send it once.", param=name, code="duplicate_parameter")
        self._field = self.fields[name] = bytearray()

    def data(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            self._file_bytes += end - start
            if self._file_bytes > self.file.max_bytes:
                raise self.file.too_large()
            self.target.write(memoryview(data)[start:end])
            return
        self._field_bytes += end - start
        if self._field_bytes > MAX_FIELDS_BYTES:
            raise BadRequest(
                f"The form's fields, without the file, have more than {MAX_FIELDS_BYTES} bytes.", code="invalid_form"
            )
        self._field.extend(data[start:end])

    def end(self) -> None:
        self.complete = True

    def form(self, path: Path) -> UploadForm:
        """The whole form; raises `BadRequest` for one that is not whole."""
        if not self.complete:
            raise BadRequest("The form ends before its last boundary; send it again.", code="invalid_form")
        if self.filename is None:
            name = self.file.name
            raise BadRequest(f"Missing required parameter: {name!r}.", param=name, code="missing_required_parameter")
        return UploadForm(path, self.filename, {name: _text(name, content) for name, content in self.fields.items()})

    def _begin_file(self, filename: bytes | None) -> None:
        name = self.file.name
        if filename is None:
            raise BadRequest(f"{name!r} must be a file with a name, not a text.", param=name, code="invalid_value")
        if self.filename is not None:
            message = f"Send one file in a request; {name!r} was sent twice."
            raise BadRequest(message, param=name, code="duplicate_parameter")
        self.filename = filename[:MAX_FILENAME].decode(errors="replace")
        self._field = None


def _text(name: str, content: bytearray) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise BadRequest(f"{name!r} must be UTF-8 text.", param=name, code="invalid_value") from None
