"""The first screen of each page of the console: its bytes, and the server's time for it: `make bench-console`.

Ten thousand jobs, files, data sets, reviews and audit entries; a run of 10 000 steps and 200 checkpoints; a data set of
500 000 rows. The stores are in memory. The time is the median processor time of this process for one page: it also
counts the client, and a search in memory looks at every document, which an index of the database does not.
Anchors: the first screen of Unsloth Studio is 1 496 KB compressed; MLflow's wheel brings 22.8 MB of script.
"""

import gc
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import httpx

from bench.side_by_side import show
from tests.browser.console_pages import PAGES, ConsolePage, Opened, OpenSite
from tests.browser.many_documents import MANY

REPEATED = 9
PAGE_BYTES, CURVE_PAGE_BYTES, SCRIPT_BYTES, TIME_MS = 60_000, 90_000, 150_000, 100.0
ANCHOR_FIRST_SCREEN_BYTES = 1_496_000
_ASSET = re.compile(r'<(?:script src|link rel="(?:icon|stylesheet)" href)="([^"]+)"')
_IMPORT = re.compile(r'^import .* from "(\./[^"]+)";', re.MULTILINE)


@dataclass(frozen=True)
class FirstScreen:
    """What a browser without a cache gets for a page, in bytes, and the server's time for the page itself."""

    page: ConsolePage
    sent: int
    raw: int
    script: int
    server_ms: float

    @property
    def budget(self) -> int:
        return CURVE_PAGE_BYTES if self.page.has_curve else PAGE_BYTES

    @property
    def holds(self) -> bool:
        return self.sent <= self.budget and self.script <= SCRIPT_BYTES and self.server_ms <= TIME_MS


def main() -> int:
    measured: list[FirstScreen] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (open_site, pages) in PAGES.items():
            with _client(open_site, Path(folder) / name) as (opened, client):
                measured += [_measure(client, page, opened.url(page)) for page in pages]
    show(
        ["page", "sent KB", "budget KB", "raw KB", "script KB", "server ms", "holds"],
        [
            [
                each.page.name,
                *(each.sent / 1000, each.budget / 1000, each.raw / 1000, each.script / 1000, each.server_ms),
                "yes" if each.holds else "NO",
            ]
            for each in measured
        ],
    )
    return _verdict(measured)


@contextmanager
def _client(open_site: OpenSite, folder: Path) -> Iterator[tuple[Opened, httpx.Client]]:
    folder.mkdir()
    with open_site(folder, MANY) as opened:
        # The documents stand for those of a database: no service holds them, or looks for garbage among them.
        gc.collect()
        gc.freeze()
        headers = {"authorization": f"Bearer {opened.secret}", "accept-encoding": "gzip"}
        with httpx.Client(base_url=opened.site.url, headers=headers, timeout=120) as client:
            yield opened, client


def _measure(client: httpx.Client, page: ConsolePage, url: str) -> FirstScreen:
    answers = [client.get(url).raise_for_status()]
    times_ms: list[float] = []
    for _ in range(REPEATED):
        started = time.process_time()
        client.get(url)
        times_ms.append(1000 * (time.process_time() - started))
    scripts: list[httpx.Response] = []
    for path in _ASSET.findall(answers[0].text):
        found = _with_imports(client, path) if path.endswith(".js") else [client.get(path).raise_for_status()]
        scripts += found if path.endswith(".js") else []
        answers += found
    once = {str(answer.url): answer for answer in answers}.values()
    script = {str(answer.url): len(answer.content) for answer in scripts}
    return FirstScreen(
        page,
        sent=sum(answer.num_bytes_downloaded for answer in once),
        raw=sum(len(answer.content) for answer in once),
        script=sum(script.values()),
        server_ms=statistics.median(times_ms),
    )


def _with_imports(client: httpx.Client, path: str) -> list[httpx.Response]:
    """A script and the modules that it imports."""
    found = client.get(path).raise_for_status()
    imported = [urljoin(path, name) for name in _IMPORT.findall(found.text)]
    return [found, *(each for name in imported for each in _with_imports(client, name))]


def _verdict(measured: list[FirstScreen]) -> int:
    largest, slowest = max(measured, key=lambda each: each.sent), max(measured, key=lambda each: each.server_ms)
    print(
        f"The largest first screen, {largest.page.name}, is {ANCHOR_FIRST_SCREEN_BYTES / largest.sent:.0f} times "
        f"smaller than Unsloth Studio's.\n"
    )
    holds = all(each.holds for each in measured)
    figures = {
        each.page.name: {"sent": each.sent, "raw": each.raw, "script": each.script, "ms": round(each.server_ms, 1)}
        for each in measured
    }
    outside = [each.page.name for each in measured if not each.holds]
    told = {"largest": largest.page.name, "slowest": slowest.page.name, "outside": outside, "pages": figures}
    print(json.dumps({"benchmark": "console", "holds": holds, **told}), flush=True)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
