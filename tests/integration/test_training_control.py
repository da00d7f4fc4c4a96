"""Runs are paused, resumed, and trained in the order of their priority."""

import asyncio

import pytest

from shared.events import TrainingPauseRequested, TrainingResumeRequested
from tests.integration.test_training_service import World, dataset, forked, requested, tiny, training_pids, world

__all__ = ["forked", "tiny", "world"]
pytestmark = [pytest.mark.model, pytest.mark.usefixtures("forked"), pytest.mark.timeout(400)]


async def test_a_paused_run_frees_the_machine_for_waiting_runs_and_resumes_after_them(world: World) -> None:
    many = dataset(world.settings, "file-1", rows=64)
    await world.send(many, requested("job-1", "file-1", n_epochs=20, n_checkpoints=2))
    await world.until("job-1", lambda found: len(found["curve"]) > 2)
    await world.send(requested("low", "file-1", n_epochs=1), requested("high", "file-1", priority=5, n_epochs=1))
    await world.until("high", lambda found: found["run"]["status"] == "queued")
    await world.send(TrainingPauseRequested(job_id="job-1", change=1))
    paused = (await world.until("job-1", lambda found: found["run"]["status"] == "paused"))["run"]
    assert paused["saved"]["step"] not in paused["plan"]["checkpoint_steps"]
    assert {(await world.ended(job_id))["run"]["status"] for job_id in ("low", "high")} == {"succeeded"}
    # A run has ended a moment before its process has.
    async with asyncio.timeout(10):
        while training_pids():
            await asyncio.sleep(0.1)
    assert (await world.run("job-1"))["run"]["status"] == "paused"

    # The pause request is delivered again, after the resume request.
    await world.send(
        TrainingResumeRequested(job_id="job-1", change=2), TrainingPauseRequested(job_id="job-1", change=1)
    )
    found = await world.ended("job-1")
    assert (found["run"]["status"], found["run"]["attempt"]) == ("succeeded", 2)
    assert [point["step"] for point in found["curve"]] == list(range(1, 321))
    progress = await world.published("training.progress")
    order = list(dict.fromkeys(event["job_id"] for event in progress))
    assert order == ["job-1", "high", "low"]
    assert min(e["step"] for e in progress if e["attempt"] == 2) == paused["saved"]["step"] + 1
    assert len(await world.published("checkpoint.saved")) == 2 + 3 + 3
    assert found["run"]["duration_s"] < 0.9 * (found["run"]["finished_at"] - found["run"]["started_at"])
