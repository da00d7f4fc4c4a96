"""Faults under uploads, jobs, reviews and chat: nothing is lost, done twice, or served without approval.

`make chaos FAULTS=200 SEED=…` runs more of them; docs/running.md has the figures.
"""

import os
import time
from pathlib import Path

import pytest

from tests.chaos.run import Plan, run
from tests.unit.trainer import tiny_model

SEED = int(os.environ.get("SEED", str(time.time_ns() % 2**31)))
# Every run of `make test` has the same faults; `make chaos` and `make test-long` draw new ones.
SHORT_SEED = int(os.environ.get("SEED", "3"))
# Other tests use the same two cores; alone it takes about 20 seconds.
SETTLE_BESIDE_OTHERS_S = 150
FAULTS_OF_ONE_SEED, SEEDS = 50, 4


@pytest.mark.timeout(600)
async def test_a_few_short_faults_break_no_promise(tmp_path: Path) -> None:
    print(f"SEED={SHORT_SEED}")
    plan = Plan(seed=SHORT_SEED, faults=5, longest_s=1.5, settle_s=SETTLE_BESIDE_OTHERS_S)
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
