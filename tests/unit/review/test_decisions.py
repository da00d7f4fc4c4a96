"""When a run is decided, and how."""

from itertools import permutations

import pytest

from services.review.policies.shipped import shipped_policies
from services.review.runs.domain.choice import choose
from services.review.runs.domain.run import Run
from shared.events import EvalDone, ModelApproved, ModelRejected, ReviewScored
from tests.unit.review.evidence import evaluation, finish

AUTOMATIC = shipped_policies()["automatic"]


def complete_run(*evaluations: EvalDone) -> Run:
    run = Run(job_id="job-1").pinned("automatic", AUTOMATIC).finished(finish(*(e.candidate.step for e in evaluations)))
    for event in evaluations:
        run = run.evaluated(event.candidate)
    return run


def decided(*evaluations: EvalDone) -> tuple[Run, list]:
    found = choose(AUTOMATIC, evaluations)
    assert found is not None
    run, events = complete_run(*evaluations).chosen(*found, "open").decided(found[0], 1)
    return run, list(events)


def test_events_in_any_order_make_the_same_run_and_it_is_complete_only_with_the_last() -> None:
    facts = [evaluation(10, 0.9), evaluation(20, 0.8), finish(10, 20)]
    ends: list[Run] = []
    for order in permutations(facts):
        run = Run(job_id="job-1")
        for fact in order:
            assert not run.complete
            run = run.evaluated(fact.candidate) if isinstance(fact, EvalDone) else run.finished(fact)
        assert run.complete
        ends.append(run)
    assert all(run == ends[0] for run in ends)


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([0.9], "checkpoint 1 is the only one and passed every gate"),
        ([0.2], "checkpoint 1 is the only one and did not pass every gate"),
        ([0.2, 0.9], "1 of 2 checkpoints passed every gate: checkpoint 2"),
        ([0.9, 0.95], "2 of 2 checkpoints passed every gate; checkpoint 2 is the best by exact_match"),
    ],
)
def test_the_reason_of_a_choice_holds_for_one_checkpoint_and_for_several(scores: list[float], words: str) -> None:
    found = choose(AUTOMATIC, [evaluation(step, score) for step, score in enumerate(scores, 1)])
    assert found is not None
    assert found[1] == words


def test_a_repeated_event_changes_nothing() -> None:
    run = complete_run(evaluation(10, 0.9))
    assert run.evaluated(evaluation(10, 0.2).candidate) == run
    assert run.finished(finish(10, 20)) == run


def test_the_first_policy_that_was_pinned_stays() -> None:
    run = complete_run(evaluation(10, 0.9))
    assert run.pinned("hybrid", shipped_policies()["hybrid"]).policy == AUTOMATIC


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_training_that_did_not_succeed_closes_its_run_without_a_verdict(status) -> None:
    run = Run(job_id="job-1").evaluated(evaluation(10, 0.99).candidate).finished(finish(10, status=status))
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
    run, events = decided(*(evaluation(step, figure) for step, figure in figures.items()))
    scored, approved = events
    assert isinstance(scored, ReviewScored)
    assert isinstance(approved, ModelApproved)
    assert approved.candidate.step == scored.candidate.step == run.chosen_step == chosen
    assert approved.verdict.approved
    assert [rule.passed for rule in approved.verdict.rules] == [True, True]
    assert run.status == "approved"
    assert not run.complete


def test_the_best_by_rank_that_fails_a_gate_does_not_stand_in_the_way_of_one_that_passes() -> None:
    run, _ = decided(evaluation(10, 0.95, base=0.97), evaluation(20, 0.9, base=0.5))
    assert run.chosen_step == 20


def test_when_none_passes_the_best_is_rejected_with_what_it_failed() -> None:
    run, events = decided(evaluation(10, 0.3), evaluation(20, 0.5), evaluation(30, 0.4))
    rejected = events[-1]
    assert isinstance(rejected, ModelRejected)
    assert rejected.candidate is not None
    assert rejected.candidate.step == 20
    assert rejected.verdict.reason == (
        "none of 3 checkpoints passed every gate; checkpoint 20 is the best by exact_match; "
        "it failed 1 of 2 rules: exact_match at least 0.8: 0.500 (n 40)"
    )
    assert run.status == "rejected"


def test_a_checkpoint_that_could_not_be_evaluated_is_never_approved() -> None:
    broken = evaluation(10, None, error="the adapter is damaged")
    run, _ = decided(broken, evaluation(20, 0.9))
    assert run.chosen_step == 20
    _, events = decided(broken)
    assert isinstance(events[-1], ModelRejected)
    assert "could not be evaluated: the adapter is damaged" in events[-1].verdict.reason


def test_a_run_whose_policy_cannot_be_applied_is_rejected_with_the_reason() -> None:
    run, [rejected] = Run(job_id="job-1").pinned("nope", None).refused("there is no policy 'nope'", 1)
    assert isinstance(rejected, ModelRejected)
    assert rejected.verdict.reason == "there is no policy 'nope'"
    assert rejected.verdict.policy == "nope"
    assert run.status == "rejected"
