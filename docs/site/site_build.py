"""Stages the pages and builds the site from them.

The stage has the layout of the repository, so that a relative link is the same on the site and in the repository.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from docs.site import event_reference, http_reference

ROOT = Path(__file__).resolve().parents[2]
CONFIG = Path(__file__).with_name("mkdocs.yml")
_PAGES = ("*.md", "docs/**/*.md", "examples/**/*.md", "deploy/*/README.md", "services/*/README.md")
_LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def stage(target: Path) -> None:
    """Fill the folder `target` with all pages, the files that they link to, and the generated reference."""
    shutil.rmtree(target, ignore_errors=True)
    _copy(CONFIG.with_name("icon.svg"), target)
    for page in (page for pattern in _PAGES for page in ROOT.glob(pattern)):
        _copy(page, target)
        for linked in _linked_files(page):
            _copy(linked, target)
    _write_reference(target / "docs" / "reference")


def build(staged: Path, site: Path) -> int:
    """Build `site` from the staged pages; returns mkdocs' exit status, 1 if a link is broken."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(CONFIG)]
    environment = {**os.environ, "ASSAY_DOCS_STAGE": str(staged), "NO_MKDOCS_2_WARNING": "1"}
    result = subprocess.run([*command, "--site-dir", str(site)], env=environment, check=False)  # noqa: S603
    return result.returncode


def _linked_files(page: Path) -> list[Path]:
    targets = [(page.parent / target).resolve() for target in _LINK.findall(page.read_text())]
    return [target for target in targets if target.is_file() and target.suffix != ".md" and ROOT in target.parents]


def _copy(file: Path, target: Path) -> None:
    copy = target / file.relative_to(ROOT)
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, copy)


def _write_reference(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "events.md").write_text(event_reference.page(ROOT / "docs" / "asyncapi.json"))
    for service in http_reference.SERVICES:
        (folder / f"http-{service}.md").write_text(http_reference.page(service))
