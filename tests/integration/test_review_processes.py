"""Two review processes and ten reviewers at once: no score is lost, and a crash leaves exactly one verdict."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from shared.events import ModelApproved, ReviewOpened, ReviewScored
from shared.security import Keyring
from shared.settings import CommonSettings
from tests.ports import free_port, wait_for_port
from tests.process import environment_of
from tests.review import BEST, eventually_published, eventually_status, headers_of, opened_review, score

ITEMS, REVIEWERS, WANTED = 20, 10, 5


@dataclass
class Process:
    """One review process that can be killed and started again."""

    settings: CommonSettings
    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        common = environment_of(self.settings)
        environment = {**os.environ, **common, "ASSAY_INSTANCE": str(self.port), "REVIEW_HTTP_PORT": str(self.port)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.review"], env=environment, stdout=log, stderr=log
            )
        wait_for_port(self.port, 60)

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def two_processes(settings: CommonSettings, folder: Path) -> Iterator[list[Process]]:
    processes = [Process(settings, free_port(), folder / f"review-{n}.log") for n in range(2)]
    try:
        for process in processes:
            process.start()
        yield processes
    finally:
        for process in processes:
            if process.process is not None:
                process.kill()


@pytest.fixture
def processes(bus_settings: CommonSettings, tmp_path: Path) -> Iterator[list[Process]]:
    with two_processes(bus_settings, tmp_path) as started:
        yield started


async def reviewer_works(client: httpx.AsyncClient, path: str, headers: dict[str, str], accepted: Counter[str]) -> None:
    """Take and score items until nothing is left, as the page does."""
    while True:
        found = await client.post(f"{path}/next", headers=headers)
        assert found.status_code == 200, found.text
        if (item := found.json()["item"]) is None:
            return
        answer = await score(client, path, item["id"], headers)
        assert answer.status_code in (200, 403, 409), answer.text
        accepted[item["id"]] += answer.status_code == 200


async def test_ten_reviewers_at_once_lose_no_score(processes, bus_settings, keyring: Keyring) -> None:
    admin = headers_of(keyring, "admin", "admin")
    accepted: Counter[str] = Counter()
    async with (
        httpx.AsyncClient(base_url=processes[0].url, timeout=60) as one,
        httpx.AsyncClient(base_url=processes[1].url, timeout=60) as other,
    ):
        path = await opened_review(one, bus_settings, admin, items=ITEMS, reviewers_wanted=WANTED)
        people = [headers_of(keyring, f"reviewer-{n}", "review") for n in range(REVIEWERS)]
        await asyncio.gather(
            *(reviewer_works((one, other)[n % 2], path, headers, accepted) for n, headers in enumerate(people))
        )
        await eventually_status(one, "/v1/verdicts/job-1", admin, "approved")
        panel = (await one.get(f"{path}/panel", headers=admin)).json()
    assert set(accepted.values()) == {WANTED}
    assert (panel["scores_given"], panel["scores_wanted"]) == (ITEMS * WANTED, ITEMS * WANTED)
    assert sum(panel["done_by_reviewer"].values()) == ITEMS * WANTED
    await eventually_published(bus_settings, ReviewOpened, ReviewScored, ModelApproved)


@pytest.mark.parametrize("delay_s", [0.0, 0.02, 0.1])
async def test_a_crash_after_the_last_score_leaves_exactly_one_verdict(
    processes, bus_settings, keyring: Keyring, delay_s: float
) -> None:
    first, second = processes
    second.kill()
    second.process = None
    admin, headers = headers_of(keyring, "admin", "admin"), headers_of(keyring, "reviewer", "review")
    async with httpx.AsyncClient(base_url=first.url, timeout=60) as client:
        path = await opened_review(client, bus_settings, admin, items=3, reviewers_wanted=1)
        for item in ("item-1", "item-2", "item-3"):
            assert (await score(client, path, item, headers, BEST)).status_code == 200
        await asyncio.sleep(delay_s)
        first.kill()
    first.start()
    async with httpx.AsyncClient(base_url=first.url, timeout=60) as client:
        await eventually_status(client, "/v1/verdicts/job-1", admin, "approved")
        assert (await eventually_status(client, path, admin, "closed"))["human"]["score"] == 100
    await eventually_published(bus_settings, ReviewOpened, ReviewScored, ModelApproved)
    await asyncio.sleep(3)
    await eventually_published(bus_settings, ReviewOpened, ReviewScored, ModelApproved)
