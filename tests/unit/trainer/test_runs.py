"""What may happen to a run, and when."""

from typing import Any

import pytest

from services.trainer.domain.feedback import Evaluated
from services.trainer.domain.messages import CheckpointWritten, JobFinished, JobStopped, StateSaved
from services.trainer.domain.plan import BaseShape, plan_training
from services.trainer.domain.run import LEASE_S, Run, RunData
from shared.events import Artifact, Failure, Hyperparameters, Split, TrainingMetrics, TrainingRequested, TrainingSpec

SPEC = TrainingSpec(base_model="base", suffix="mine")


def artifact(digit: str) -> Artifact:
    return Artifact(uri="file:///a", sha256=digit * 64, bytes=1)


def written(step: int) -> CheckpointWritten:
    metrics = TrainingMetrics(step=step)
    return CheckpointWritten(step=step, adapter=artifact("a"), state=artifact(str(step % 10)), metrics=metrics)


def run_of(asked: dict[str, Any]) -> Run:
    split = Split(artifact=artifact("1"), rows=10)
    spec = SPEC.model_copy(update={"hyperparameters": Hyperparameters.model_validate(asked)})
    request = TrainingRequested(job_id="job", training_file="file", spec=spec)
    plan = plan_training("job", spec, "name", 10, BaseShape(hidden_size=64, blocks=2))
    return Run(id="job", request=request).queue(plan, RunData(train=split, validation=None, test=split))


@pytest.fixture
def queued() -> Run:
    return run_of({})


def test_the_newest_attempt_alone_holds_a_run(queued: Run) -> None:
    first = queued.begin("a", 100)
    second = first.begin("b", 200)
    assert first.held_by(1)
    assert not second.held_by(1)
    assert second.held_by(2)
    assert second.started_at == 100


def test_an_attempt_goes_on_from_the_last_checkpoint(queued: Run) -> None:
    run = queued.begin("a", 1).checkpoint(written(3)).checkpoint(written(6)).begin("b", 2)
    assert run.resume_state == written(6).state


def test_a_checkpoint_told_twice_is_one(queued: Run) -> None:
    run = queued.begin("a", 1).checkpoint(written(3))
    assert run.checkpoint(written(3)) == run


def test_a_run_is_given_up_after_three_deaths_without_a_checkpoint(queued: Run) -> None:
    run = queued.begin("a", 1).crash().crash().crash()
    assert not run.gives_up
    assert run.crash().gives_up
    assert not run.checkpoint(written(3)).crash().gives_up


def test_an_end_is_final_and_tells_what_was_made(queued: Run) -> None:
    run = queued.begin("a", 100).prepared(0.02).checkpoint(written(3))
    usage = JobFinished(trained_tokens=500, duration_s=5, peak_memory_bytes=7)
    event = run.succeed(usage, now=160).finished_event()
    assert (event.status, event.checkpoints, event.duration_s, event.trained_tokens) == ("succeeded", (3,), 60.0, 500)
    assert event.trainable_share == 0.02
    assert not run.cancel(now=160).held_by(1)
    failed = run.fail(Failure(code="c", message="m"), now=160)
    assert failed.finished_event().error == Failure(code="c", message="m")
    with pytest.raises(ValueError, match="has not ended"):
        run.finished_event()


def test_a_candidate_carries_what_others_need(queued: Run) -> None:
    candidate = queued.candidate(written(3), "org")
    assert candidate.model_name.startswith("ft:base:org:mine:")
    assert candidate.model_name.endswith(":ckpt-step-3")
    assert (candidate.tuning, candidate.lora_rank, candidate.adapter) == ("lora", 8, artifact("a"))


@pytest.mark.parametrize(
    ("asked", "tuning"), [({"tuning": "freeze"}, "freeze"), ({"tuning": "full"}, "full"), ({"use_dora": True}, "full")]
)
def test_a_whole_model_has_no_rank(asked: dict[str, Any], tuning: str) -> None:
    candidate = run_of(asked).candidate(written(3), "org")
    assert (candidate.tuning, candidate.lora_rank) == (tuning, 0)


def test_a_run_can_be_taken_when_it_is_queued_or_its_trainer_was_silent_for_too_long(queued: Run) -> None:
    held = queued.begin("a", 100)
    assert queued.waits(100)
    assert not held.waits(100 + LEASE_S - 1)
    assert held.waits(100 + LEASE_S)
    assert not held.renew(110).waits(100 + LEASE_S)
    assert held.let_go().waits(101)
    assert not held.cancel(101).waits(1000)


def test_the_highest_priority_has_its_turn_first_then_the_oldest(queued: Run) -> None:
    def of(name: str, priority: int, created_at: int) -> Run:
        spec = SPEC.model_copy(update={"priority": priority})
        request = queued.request.model_copy(update={"spec": spec})
        return queued.model_copy(update={"id": name, "request": request, "created_at": created_at})

    runs = [of("late", 0, 9), of("urgent", 5, 7), of("idle", -1, 1), of("early", 0, 2)]
    assert [run.id for run in sorted(runs, key=lambda run: run.turn)] == ["urgent", "early", "late", "idle"]


def test_a_run_holds_and_goes_on_from_what_was_saved(queued: Run) -> None:
    training = queued.begin("a", 100).checkpoint(written(3))
    asked = training.want_pause(1, 110)
    assert (asked.status, asked.pause_wanted) == ("running", True)
    saved = asked.save(StateSaved(step=5, state=artifact("5"))).pause(120)
    assert (saved.status, saved.at_rest, saved.waits(1000)) == ("paused", True, False)
    on = saved.want_resume(2, 320).begin("b", 330)
    assert (on.resume_state, on.attempt) == (artifact("5"), 2)
    # A checkpoint behind it is newer, and the time that it held is not the run's.
    assert on.checkpoint(written(6)).resume_state == written(6).state
    usage = JobFinished(trained_tokens=1, duration_s=1, peak_memory_bytes=1)
    assert on.succeed(usage, now=400).duration_s == 100.0


def test_a_run_that_waits_holds_at_once_also_before_its_data_is_there(queued: Run) -> None:
    assert queued.want_pause(1, 50).status == "paused"
    assert queued.plan is not None
    assert queued.data is not None
    early = Run(id="job", request=queued.request).want_pause(1, 50)
    assert early.status == "validating_files"
    assert early.queue(queued.plan, queued.data).status == "paused"
    assert early.want_resume(2, 60).queue(queued.plan, queued.data).status == "queued"


def test_of_two_wishes_that_come_in_the_wrong_order_the_later_holds(queued: Run) -> None:
    run = queued.begin("a", 100).want_resume(2, 110)
    assert run.want_pause(1, 111) == run
    assert run.want_pause(3, 112).pause_wanted
    ended = run.cancel(120)
    assert ended.want_pause(4, 121) == ended


def test_a_run_whose_trainer_died_while_it_was_to_end_or_to_hold_does_so(queued: Run) -> None:
    gone = queued.begin("a", 100).let_go()
    assert gone.request_cancel().take("b", 200).status == "cancelled"
    assert gone.want_pause(1, 110).take("b", 200).status == "paused"
    assert gone.take("b", 200).held_by(2)


def test_a_run_whose_scores_fall_ends_with_what_it_has(queued: Run) -> None:
    run = run_of({"early_stopping_drop": 0.1}).begin("a", 100).checkpoint(written(3)).checkpoint(written(6))
    good, bad = (Evaluated(step=s, scores={"exact_match": v}, base_scores={}) for s, v in ((3, 0.9), (6, 0.5)))
    assert not run.score(good).stops
    falling = run.score(bad).score(good)
    assert (falling.stops, falling.best_step) == (True, 3)
    event = falling.stop(JobStopped(trained_tokens=70, peak_memory_bytes=7), 160).finished_event()
    assert (event.status, event.checkpoints, event.trained_tokens, event.best_step) == ("succeeded", (3, 6), 70, 3)
    assert "fell from 0.900" in (event.stop_reason or "")
    # Cancelled is cancelled, and what ended is not stopped again.
    assert falling.request_cancel().stop(JobStopped(), 160).status == "cancelled"
    ended = run.cancel(150).score(good).score(bad)
    assert (ended.stop_reason, ended.best_step) == (None, 3)
    # Told twice, it is one.
    assert falling.score(good) == falling.score(good).score(good)
