"""State transitions of a training run."""

from typing import Any

import pytest

from services.trainer.domain.auto_hyperparameters import BaseShape
from services.trainer.domain.candidate import candidate_of
from services.trainer.domain.rows.run_data import RunData
from services.trainer.domain.stopping.stop_by_scores import CheckpointScores
from services.trainer.domain.training_plan import plan_training
from services.trainer.domain.training_run import LEASE_S, TrainingRun
from services.trainer.domain.worker_messages import CheckpointWritten, JobFinished, JobStopped, Prepared, StateSaved
from shared.events import Artifact, Failure, Hyperparameters, Split, TrainingMetrics, TrainingRequested, TrainingSpec

SPEC = TrainingSpec(base_model="base", suffix="mine")


def artifact(digit: str) -> Artifact:
    return Artifact(uri="file:///a", sha256=digit * 64, bytes=1)


def written(step: int) -> CheckpointWritten:
    metrics = TrainingMetrics(step=step)
    return CheckpointWritten(step=step, adapter=artifact("a"), state=artifact(str(step % 10)), metrics=metrics)


def run_of(asked: dict[str, Any]) -> TrainingRun:
    split = Split(artifact=artifact("1"), rows=10)
    spec = SPEC.model_copy(update={"hyperparameters": Hyperparameters.model_validate(asked)})
    request = TrainingRequested(job_id="job", training_file="file", spec=spec)
    plan = plan_training("job", spec, "name", 10, BaseShape(hidden_size=64, blocks=2))
    return TrainingRun(id="job", request=request).queue(plan, RunData(train=split, validation=None, test=split))


@pytest.fixture
def queued() -> TrainingRun:
    return run_of({})


def test_only_the_newest_attempt_owns_a_run(queued: TrainingRun) -> None:
    first = queued.start("a", 100)
    second = first.start("b", 200)
    assert first.owned_by(1)
    assert not second.owned_by(1)
    assert second.owned_by(2)
    assert second.started_at == 100


def test_an_attempt_resumes_from_the_last_checkpoint(queued: TrainingRun) -> None:
    run = queued.start("a", 1).add_checkpoint(written(3)).add_checkpoint(written(6)).start("b", 100)
    assert run.resume_from == written(6)


def test_each_new_attempt_records_where_it_went_on_and_what_had_stopped_the_one_before(queued: TrainingRun) -> None:
    run = queued.start("a", 1).add_checkpoint(written(3)).add_crash().release().start("b", 100)
    run = run.start("c", 200).add_checkpoint(written(6)).request_pause(1, 250).pause(300)
    run = run.request_resume(2, 350).start("d", 400)
    assert [(each.step, each.cause) for each in run.interruptions] == [(3, "crash"), (3, "trainer_left"), (6, "pause")]


def test_a_repeated_checkpoint_is_recorded_once(queued: TrainingRun) -> None:
    run = queued.start("a", 1).add_checkpoint(written(3))
    assert run.add_checkpoint(written(3)) == run


def test_a_run_fails_after_three_crashes_without_a_checkpoint(queued: TrainingRun) -> None:
    run = queued.start("a", 1).add_crash().add_crash().add_crash()
    assert not run.crashed_too_often
    assert run.add_crash().crashed_too_often
    assert not run.add_checkpoint(written(3)).add_crash().crashed_too_often


def test_the_finished_event_has_the_results_of_the_run(queued: TrainingRun) -> None:
    run = queued.start("a", 100).prepared(Prepared(trainable_share=0.02)).add_checkpoint(written(3))
    usage = JobFinished(trained_tokens=500, duration_s=5, peak_memory_bytes=7)
    event = run.succeed(usage, now=160).finished_event()
    assert (event.status, event.checkpoints, event.duration_s, event.trained_tokens) == ("succeeded", (3,), 60.0, 500)
    assert event.trainable_share == 0.02
    assert not run.cancel(now=160).owned_by(1)
    failed = run.fail(Failure(code="c", message="m"), now=160)
    assert failed.finished_event().error == Failure(code="c", message="m")
    with pytest.raises(ValueError, match="has not ended"):
        run.finished_event()


def test_a_candidate_has_name_method_rank_and_adapter(queued: TrainingRun) -> None:
    candidate = candidate_of(queued, written(3))
    assert candidate.model_name == "name:ckpt-step-3"
    assert (candidate.tuning, candidate.lora_rank, candidate.adapter) == ("lora", 8, artifact("a"))


@pytest.mark.parametrize(
    ("asked", "tuning"), [({"tuning": "freeze"}, "freeze"), ({"tuning": "full"}, "full"), ({"use_dora": True}, "full")]
)
def test_a_whole_model_has_no_rank(asked: dict[str, Any], tuning: str) -> None:
    candidate = candidate_of(run_of(asked), written(3))
    assert (candidate.tuning, candidate.lora_rank) == (tuning, 0)


def test_a_run_is_claimable_when_it_is_queued_or_its_lease_has_expired(queued: TrainingRun) -> None:
    leased = queued.start("a", 100)
    assert queued.is_claimable(100)
    assert not leased.is_claimable(100 + LEASE_S - 1)
    assert leased.is_claimable(100 + LEASE_S)
    assert not leased.renew(110).is_claimable(100 + LEASE_S)
    assert leased.release().is_claimable(101)
    assert not leased.cancel(101).is_claimable(1000)


def test_the_queue_is_ordered_by_priority_and_then_by_age(queued: TrainingRun) -> None:
    def of(name: str, priority: int, created_at: int) -> TrainingRun:
        spec = SPEC.model_copy(update={"priority": priority})
        request = queued.request.model_copy(update={"spec": spec})
        return queued.model_copy(update={"id": name, "request": request, "created_at": created_at})

    runs = [of("late", 0, 9), of("urgent", 5, 7), of("idle", -1, 1), of("early", 0, 2)]
    assert [run.id for run in sorted(runs, key=lambda run: run.queue_order)] == ["urgent", "early", "late", "idle"]


def test_a_paused_run_resumes_from_its_saved_state(queued: TrainingRun) -> None:
    training = queued.start("a", 100).add_checkpoint(written(3))
    asked = training.request_pause(1, 110)
    assert (asked.status, asked.pause_requested) == ("running", True)
    saved = asked.add_saved_state(StateSaved(step=5, state=artifact("5"))).pause(120)
    assert (saved.status, saved.needs_trainer, saved.is_claimable(1000)) == ("paused", False, False)
    on = saved.request_resume(2, 320).start("b", 330)
    assert (on.resume_from, on.attempt) == (on.saved, 2)
    # A later checkpoint replaces the saved state, and the duration excludes the pause.
    assert on.add_checkpoint(written(6)).resume_from == written(6)
    usage = JobFinished(trained_tokens=1, duration_s=1, peak_memory_bytes=1)
    assert on.succeed(usage, now=400).duration_s == 100.0


def test_a_waiting_run_pauses_at_once_even_before_its_data_is_checked(queued: TrainingRun) -> None:
    assert queued.request_pause(1, 50).status == "paused"
    assert queued.plan is not None
    assert queued.data is not None
    early = TrainingRun(id="job", request=queued.request).request_pause(1, 50)
    assert early.status == "validating_files"
    assert early.queue(queued.plan, queued.data).status == "paused"
    assert early.request_resume(2, 60).queue(queued.plan, queued.data).status == "queued"


def test_pause_and_resume_requests_that_arrive_out_of_order_are_applied_by_number(queued: TrainingRun) -> None:
    run = queued.start("a", 100).request_resume(2, 110)
    assert run.request_pause(1, 111) == run
    assert run.request_pause(3, 112).pause_requested
    ended = run.cancel(120)
    assert ended.request_pause(4, 121) == ended


def test_the_next_trainer_carries_out_a_pending_cancel_or_pause(queued: TrainingRun) -> None:
    gone = queued.start("a", 100).release()
    assert gone.request_cancel().claim("b", 200).status == "cancelled"
    assert gone.request_pause(1, 110).claim("b", 200).status == "paused"
    assert gone.claim("b", 200).owned_by(2)


def test_a_run_whose_scores_fall_ends_with_its_checkpoints(queued: TrainingRun) -> None:
    run = run_of({"early_stopping_drop": 0.1}).start("a", 100).add_checkpoint(written(3)).add_checkpoint(written(6))
    good, bad = (CheckpointScores(step=s, scores={"exact_match": v}, base_scores={}) for s, v in ((3, 0.9), (6, 0.5)))
    assert not run.add_scores(good).must_stop
    falling = run.add_scores(bad).add_scores(good)
    assert (falling.must_stop, falling.best_step) == (True, 3)
    event = falling.stop(JobStopped(trained_tokens=70, peak_memory_bytes=7), 160).finished_event()
    assert (event.status, event.checkpoints, event.trained_tokens, event.best_step) == ("succeeded", (3, 6), 70, 3)
    assert "fell from 0.900" in (event.stop_reason or "")
    # A cancel request has precedence, and an ended run is not stopped again.
    assert falling.request_cancel().stop(JobStopped(), 160).status == "cancelled"
    ended = run.cancel(150).add_scores(good).add_scores(bad)
    assert (ended.stop_reason, ended.best_step) == (None, 3)
    # Repeated scores change nothing.
    assert falling.add_scores(good) == falling.add_scores(good).add_scores(good)
