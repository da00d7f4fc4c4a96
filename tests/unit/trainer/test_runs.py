"""What may happen to a run, and when."""

import pytest

from services.trainer.domain.messages import CheckpointWritten, JobFinished
from services.trainer.domain.plan import plan_training
from services.trainer.domain.run import Run, RunData
from shared.events import Artifact, Failure, Split, TrainingMetrics, TrainingRequested, TrainingSpec

SPEC = TrainingSpec(base_model="base", suffix="mine")


def artifact(digit: str) -> Artifact:
    return Artifact(uri="file:///a", sha256=digit * 64, bytes=1)


def written(step: int) -> CheckpointWritten:
    metrics = TrainingMetrics(step=step)
    return CheckpointWritten(step=step, adapter=artifact("a"), state=artifact(str(step % 10)), metrics=metrics)


@pytest.fixture
def queued() -> Run:
    split = Split(artifact=artifact("1"), rows=10)
    request = TrainingRequested(job_id="job", training_file="file", spec=SPEC)
    plan = plan_training("job", SPEC, "name", 10, 64)
    return Run(id="job", request=request).queue(plan, RunData(train=split, validation=None, test=split))


def test_the_newest_attempt_alone_holds_a_run(queued: Run) -> None:
    first = queued.begin(now=100)
    second = first.begin(now=200)
    assert first.held_by(1)
    assert not second.held_by(1)
    assert second.held_by(2)
    assert second.started_at == 100


def test_an_attempt_goes_on_from_the_last_checkpoint(queued: Run) -> None:
    run = queued.begin(1).checkpoint(written(3)).checkpoint(written(6)).begin(2)
    assert run.resume_state == written(6).state


def test_a_checkpoint_told_twice_is_one(queued: Run) -> None:
    run = queued.begin(1).checkpoint(written(3))
    assert run.checkpoint(written(3)) == run


def test_a_run_is_given_up_after_three_deaths_without_a_checkpoint(queued: Run) -> None:
    run = queued.begin(1).crash().crash().crash()
    assert not run.gives_up
    assert run.crash().gives_up
    assert not run.checkpoint(written(3)).crash().gives_up


def test_an_end_is_final_and_tells_what_was_made(queued: Run) -> None:
    run = queued.begin(100).checkpoint(written(3))
    usage = JobFinished(trained_tokens=500, duration_s=5, peak_memory_bytes=7)
    event = run.succeed(usage, now=160).finished_event()
    assert (event.status, event.checkpoints, event.duration_s, event.trained_tokens) == ("succeeded", (3,), 60.0, 500)
    assert not run.cancel(now=160).held_by(1)
    failed = run.fail(Failure(code="c", message="m"), now=160)
    assert failed.finished_event().error == Failure(code="c", message="m")
    with pytest.raises(ValueError, match="has not ended"):
        run.finished_event()


def test_a_candidate_carries_what_others_need(queued: Run) -> None:
    candidate = queued.candidate(written(3), "org")
    assert candidate.model_name.startswith("ft:base:org:mine:")
    assert candidate.model_name.endswith(":ckpt-step-3")
    assert (candidate.lora_rank, candidate.adapter) == (8, artifact("a"))
