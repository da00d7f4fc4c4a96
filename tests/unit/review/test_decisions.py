"""When a run is decided, and how."""

from itertools import permutations

import pytest

from services.review.adapters.shipped import shipped_policies
from services.review.domain.run import Run
from shared.events import EvalDone, ModelApproved, ModelRejected, ReviewScored
from tests.unit.review.evidence import evaluation, finish

AUTOMATIC = shipped_policies()["automatic"]
HYBRID = shipped_policies()["hybrid"]


def run_of(*evaluations: EvalDone) -> Run:
    run = Run(job_id="job-1").finished(finish(*(e.candidate.step for e in evaluations)))
    for event in evaluations:
        run = run.evaluated(event)
    return run


def test_events_in_any_order_make_the_same_run_and_it_is_complete_only_with_the_last() -> None:
    facts = [evaluation(10, 0.9), evaluation(20, 0.8), finish(10, 20)]
    ends: list[Run] = []
    for order in permutations(facts):
        run = Run(job_id="job-1")
        for fact in order:
            assert not run.complete
            run = run.evaluated(fact) if isinstance(fact, EvalDone) else run.finished(fact)
        assert run.complete
        ends.append(run)
    assert all(run == ends[0] for run in ends)


def test_an_event_heard_again_changes_nothing() -> None:
    run = run_of(evaluation(10, 0.9))
    assert run.evaluated(evaluation(10, 0.2)) == run
    assert run.finished(finish(10, 20)) == run


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_training_that_did_not_succeed_closes_its_run_without_a_verdict(status) -> None:
    run = Run(job_id="job-1").evaluated(evaluation(10, 0.99)).finished(finish(10, status=status))
    assert run.status == "closed"
    assert not run.complete


@pytest.mark.parametrize(
    ("figures", "chosen"),
    [
        ({10: 0.85, 20: 0.95, 30: 0.9}, 20),
        ({10: 0.9, 20: 0.9}, 10),
        ({10: 0.5, 20: 0.81}, 20),
        ({10: None, 20: 0.81}, 20),
    ],
)
def test_the_best_checkpoint_that_passes_is_approved_and_of_equals_the_earlier(figures, chosen) -> None:
    run, events = run_of(*(evaluation(step, figure) for step, figure in figures.items())).decide(AUTOMATIC)
    scored, approved = events
    assert isinstance(scored, ReviewScored)
    assert isinstance(approved, ModelApproved)
    assert approved.candidate.step == scored.candidate.step == run.chosen_step == chosen
    assert approved.verdict.approved
    assert [rule.passed for rule in approved.verdict.rules] == [True, True]
    assert (run.status, run.policy) == ("approved", AUTOMATIC)
    assert not run.complete


def test_the_best_by_rank_that_fails_a_gate_does_not_stand_in_the_way_of_one_that_passes() -> None:
    run, _ = run_of(evaluation(10, 0.95, base=0.97), evaluation(20, 0.9, base=0.5)).decide(AUTOMATIC)
    assert run.chosen_step == 20


def test_when_none_passes_the_best_is_rejected_with_what_it_failed() -> None:
    run, events = run_of(evaluation(10, 0.3), evaluation(20, 0.5), evaluation(30, 0.4)).decide(AUTOMATIC)
    rejected = events[-1]
    assert isinstance(rejected, ModelRejected)
    assert rejected.candidate is not None
    assert rejected.candidate.step == 20
    assert rejected.verdict.reason == "no checkpoint passes; the best one fails: exact_match 0.50 < 0.80"
    assert run.status == "rejected"


def test_a_checkpoint_that_could_not_be_evaluated_is_never_approved() -> None:
    broken = evaluation(10, None, error="the adapter is damaged")
    run, _ = run_of(broken, evaluation(20, 0.9)).decide(AUTOMATIC)
    assert run.chosen_step == 20
    _, events = run_of(broken).decide(AUTOMATIC)
    assert isinstance(events[-1], ModelRejected)
    assert "could not be evaluated: the adapter is damaged" in events[-1].verdict.reason


def test_a_training_without_checkpoints_is_rejected() -> None:
    run, [rejected] = run_of().decide(AUTOMATIC)
    assert isinstance(rejected, ModelRejected)
    assert rejected.candidate is None
    assert rejected.verdict.reason == "the training saved no checkpoint"
    assert run.status == "rejected"


def test_hybrid_sends_what_passed_to_people_and_rejects_what_did_not_at_once() -> None:
    run, events = run_of(evaluation(10, 0.9)).decide(HYBRID)
    assert (run.status, run.verdict, list(events)) == ("in_review", None, [])
    run, events = run_of(evaluation(10, 0.1)).decide(HYBRID)
    assert isinstance(events[-1], ModelRejected)
    assert events[-1].verdict.mode == "hybrid"


def test_a_run_whose_policy_cannot_be_applied_is_rejected_with_the_reason() -> None:
    run, [rejected] = run_of(evaluation(10, 0.9, policy="nope")).refuse("nope", "there is no policy 'nope'")
    assert isinstance(rejected, ModelRejected)
    assert rejected.verdict.reason == "there is no policy 'nope'"
    assert rejected.verdict.policy == "nope"
    assert run.status == "rejected"
