"""Finds a browser for the tests, or brings one from the npm registry: no root, no node of one's own."""

import hashlib
import os
import shutil
import sys
import tarfile
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import brotli

from shared.pages.vendor import fetch

CACHE = Path(sys.prefix) / "cache" / "browser"
_PACKAGE, _VERSION = "@sparticuz/chromium", "147.0.0"
_AXE_VERSION = "4.14.1"
_AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
_ARCHIVES = {
    "bin/chromium.br": "64d813a054f76fc32b8010e305d87e6d7a45aa76ee02d36e66c03c8ca6667e8d",
    "bin/al2023.tar.br": "2e22542d8c66b83194172f4bbbef0a79b80bbeb99d69abf3962d85c1351f478d",
    "bin/swiftshader.tar.br": "f957ea867313f9815b71dc2ed30cce301e01db4f3973fbdb31ffa5391b0ec45a",
    "bin/fonts.tar.br": "78620f052a57d98716b8da709e9de5c14a5ae606e60810009f5051ab46e2a588",
}


@dataclass(frozen=True)
class Chromium:
    """What Playwright needs to start a browser."""

    path: Path
    arguments: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)


def find() -> Chromium:
    """The browser of `PLAYWRIGHT_CHROMIUM`, else Debian's, else one that is fetched once."""
    named = os.environ.get("PLAYWRIGHT_CHROMIUM") or shutil.which("chromium")
    if named:
        return Chromium(Path(named), ["--no-sandbox"])
    folder = CACHE / f"chromium-{_VERSION}"
    if not folder.exists():
        _unpack(folder)
    arguments = "--headless=shell --no-sandbox --use-gl=angle --use-angle=swiftshader"
    libraries = {**os.environ, "LD_LIBRARY_PATH": str(folder / "lib")}
    if not Path("/etc/fonts").exists():
        libraries["FONTCONFIG_PATH"] = str(folder)
    return Chromium(folder / "chromium", [*arguments.split(), "--enable-unsafe-swiftshader"], libraries)


def axe() -> str:
    """The script of axe-core."""
    path = CACHE / f"axe-{_AXE_VERSION}.js"
    if not path.exists():
        content = fetch("axe-core", _AXE_VERSION, ["axe.min.js"])["axe.min.js"]
        _expect("axe.min.js", content, _AXE_SHA256)
        CACHE.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return path.read_text()


def _unpack(folder: Path) -> None:
    # Two test processes may come here at once: each unpacks for itself, and the first one's folder stays.
    scratch = CACHE / f"{folder.name}.{os.getpid()}"
    scratch.mkdir(parents=True)
    for path, content in fetch(_PACKAGE, _VERSION, list(_ARCHIVES)).items():
        _expect(path, content, _ARCHIVES[path])
        unpacked = brotli.decompress(content)
        if path.endswith(".tar.br"):
            with tarfile.open(fileobj=BytesIO(unpacked)) as archive:
                archive.extractall(scratch, filter="data")
        else:
            (scratch / "chromium").write_bytes(unpacked)
    (scratch / "chromium").chmod(0o755)
    try:
        scratch.rename(folder)
    except OSError:
        shutil.rmtree(scratch)


def _expect(path: str, content: bytes, sha256: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(f"{path} has the digest {found}, expected {sha256}: the package was changed")
