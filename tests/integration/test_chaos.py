"""Faults under uploads, jobs, reviews and chat: nothing is lost, done twice, or served without approval.

`make chaos FAULTS=200 SEED=…` runs more of them; docs/running.md has the figures.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.chaos.run import Plan, run
from tests.unit.trainer import tiny_model

SEED = int(os.environ.get("SEED", str(time.time_ns() % 2**31)))
# Every run of `make test` has the same faults; `make chaos` and `make test-long` draw new ones.
SHORT_SEED = int(os.environ.get("SEED", "28"))
# Other tests use the same two cores; alone it takes about 20 seconds.
SETTLE_BESIDE_OTHERS_S = 150
FAULTS_OF_ONE_SEED, SEEDS = 50, 4


@pytest.mark.timeout(600)
async def test_a_few_short_faults_break_no_promise(tmp_path: Path) -> None:
    print(f"SEED={SHORT_SEED}")
    plan = Plan(seed=SHORT_SEED, faults=5, longest_s=1.5, settle_s=SETTLE_BESIDE_OTHERS_S, round=3)
    report = await run(plan, tmp_path, print)
    print(report.as_json())
    assert sum(report.faults.values()) == 5
    assert report.uploads
    assert report.answers
    assert report.findings == []


@pytest.mark.long
@pytest.mark.model
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", range(SEEDS))
async def test_many_faults_break_no_promise_while_models_are_trained(tmp_path: Path, number: int) -> None:
    print(f"SEED={SEED + number}")
    base = tiny_model.save(tmp_path / "base")
    report = await run(
        Plan(seed=SEED + number, faults=FAULTS_OF_ONE_SEED, base_model=base, settle_s=180), tmp_path / "line", print
    )
    print(report.as_json())
    assert report.findings == []


@pytest.mark.timeout(120)
def test_a_run_that_is_ended_by_sigterm_leaves_no_process(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.chaos", "--faults", "5", "--played", "--folder", str(tmp_path / "line")]
    run = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    wait_until(lambda: len(of_line(tmp_path)) >= 4)
    run.send_signal(signal.SIGTERM)
    assert run.wait(timeout=60) == 128 + signal.SIGTERM
    wait_until(lambda: not of_line(tmp_path))


def of_line(folder: Path) -> list[str]:
    """The running processes of a run in this folder."""
    found: list[str] = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            named = [*process.cmdline(), *process.environ().values()]
            if process.cmdline()[1:3] != ["-m", "tests.chaos"] and any(str(folder / "line") in each for each in named):
                found.append(" ".join(process.cmdline()))
    return found


def wait_until(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)
