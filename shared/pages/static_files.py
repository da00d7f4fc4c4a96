"""Static files of the pages: compressed once, cached by browsers for good under a path that names their content."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from shared.pages import headers

FOLDER = Path(__file__).parent / "static"
PATH = "/console/static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class StaticFile:
    """One file, raw and compressed."""

    content: bytes
    compressed: bytes
    media_type: str


@cache
def files() -> dict[str, StaticFile]:
    """Every file that browsers may ask for, by its path below the folder."""
    found = [path for path in sorted(FOLDER.rglob("*")) if path.suffix in _TYPES]
    return {path.relative_to(FOLDER).as_posix(): _read(path) for path in found}


@cache
def version() -> str:
    """Changes whenever any file does."""
    digest = hashlib.sha256()
    for name, file in files().items():
        digest.update(name.encode() + b"\0" + file.content + b"\0")
    return digest.hexdigest()[:12]


def static_url(name: str) -> str:
    """The address of a file of this version; raises `KeyError` for a file that is not there."""
    if name not in files():
        raise KeyError(f"there is no static file {name!r} in {FOLDER}")
    return f"{PATH}/{version()}/{name}"


def static_route() -> HTTPRouteHandler:
    """Serves the files; the gateway has this route, and services when they are tested alone."""

    @get(f"{PATH}/{{asked:str}}/{{name:path}}", include_in_schema=False, sync_to_thread=False)
    def static(request: Request[Any, Any, Any], asked: FromPath[str], name: FromPath[str]) -> Response[bytes]:
        """One static file."""
        file = files().get(name.lstrip("/"))
        if file is None:
            return Response(b"", status_code=404, headers=dict(headers.SECURITY))
        # During an update a service may name another version than this one has: that answer must not be kept.
        keep = "public, max-age=31536000, immutable" if asked == version() else "no-cache"
        sent = {**headers.SECURITY, "cache-control": keep, "vary": "accept-encoding"}
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(file.content, media_type=file.media_type, headers=sent)
        return Response(file.compressed, media_type=file.media_type, headers={**sent, "content-encoding": "gzip"})

    return static


def _read(path: Path) -> StaticFile:
    content = path.read_bytes()
    return StaticFile(content, gzip.compress(content, mtime=0), f"{_TYPES[path.suffix]}; charset=utf-8")
