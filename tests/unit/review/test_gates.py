"""What each gate of a policy lets pass."""

import pytest
from pydantic import ValidationError

from services.review.policies.domain.gate import Gate
from services.review.policies.domain.policy import PolicyContent
from services.review.policies.domain.verdict import judge_gates
from services.review.policies.shipped import shipped_policies
from shared.events import Failure
from tests.unit.review.evidence import evaluation


@pytest.mark.parametrize(
    ("demand", "figure", "base", "passed", "reason"),
    [
        ({"at_least": 0.8}, 0.93, 0.1, True, "exact_match 0.93 ≥ 0.80"),
        ({"at_least": 0.8}, 0.8, 0.1, True, "exact_match 0.80 ≥ 0.80"),
        ({"at_least": 0.8}, 0.79, 0.1, False, "exact_match 0.79 < 0.80"),
        ({"at_least": 0.8}, 0.799, 0.1, False, "exact_match 0.799 < 0.8"),
        ({"at_most": 0.2}, 0.2, 0.1, True, "exact_match 0.20 ≤ 0.20"),
        ({"at_most": 0.2}, 0.3, 0.1, False, "exact_match 0.30 > 0.20"),
        ({"better_than_base": 0.0}, 0.3, 0.1, True, "exact_match 0.30 > 0.10 of the base model"),
        ({"better_than_base": 0.0}, 0.1, 0.1, False, "exact_match 0.10 ≤ 0.10 of the base model"),
        ({"better_than_base": 0.25}, 0.3, 0.1, False, "exact_match 0.30 ≤ 0.35 of the base model and 0.25 more"),
        ({"at_least": 0.0}, None, 0.1, False, "exact_match was not measured for the checkpoint"),
    ],
)
def test_a_gate_says_in_words_what_it_found(demand, figure, base, passed, reason) -> None:
    outcome = Gate(metric="exact_match", **demand).judge(evaluation(1, figure, base))
    assert (outcome.passed, outcome.reason) == (passed, reason)


@pytest.mark.parametrize(
    ("metric", "why"),
    [
        ("shop.sorts.accuracy", " (shop.sorts: there is no column `kind`)"),
        ("shop.score", " (shop.sorts: there is no column `kind`; shop.prices: empty)"),
        ("shop.other.accuracy", ""),
        ("shop2.score", ""),
        ("exact_match", ""),
    ],
)
def test_a_gate_on_a_task_that_failed_says_why_it_was_not_measured(metric: str, why: str) -> None:
    failures = {
        "shop.sorts": Failure(code="missing_column", message="there is no column `kind`"),
        "shop.prices": Failure(code="empty_test_set", message="empty"),
    }
    known = evaluation(1, None).model_copy(update={"task_errors": failures})
    outcome = Gate(metric=metric, at_least=0.5).judge(known)
    assert (outcome.passed, outcome.reason) == (False, f"{metric} was not measured for the checkpoint{why}")


def test_a_gate_on_too_few_items_says_what_they_cannot_tell() -> None:
    outcome = Gate(metric="exact_match", at_least=0.5, least_n=30).judge(evaluation(1, 1.0, n=12))
    assert not outcome.passed
    assert outcome.reason == (
        "exact_match was measured on 12 items, needs 30: "
        "12 items cannot confirm a difference of less than 50% between two models"
    )


def test_a_metric_that_was_measured_for_the_checkpoint_alone_is_not_better_than_base() -> None:
    known = evaluation(1, 0.9).model_copy(update={"base_scores": {}})
    outcome = Gate(metric="exact_match", better_than_base=0).judge(known)
    assert not outcome.passed
    assert outcome.reason == "exact_match was not measured for the base model"


@pytest.mark.parametrize(
    "content",
    [
        {"mode": "automatic", "gates": []},
        {"mode": "automatic", "gates": [{"metric": "bleu"}]},
        {"mode": "automatic", "gates": [{"metric": "bleu", "at_least": 0.1, "at_most": 0.2}]},
        {"mode": "automatic", "gates": [{"metric": "bleu", "at_least": float("nan")}]},
        {"mode": "automatic", "gates": [{"metric": "bleu", "atleast": 0.1}]},
        {"mode": "sometimes", "gates": [{"metric": "bleu", "at_least": 0.1}]},
        {
            "mode": "hybrid",
            "gates": [{"metric": "bleu", "at_least": 0.1}],
            "rubric": {"accuracy": 50, "politeness": 30, "usefulness": 30},
        },
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(content) -> None:
    with pytest.raises(ValidationError):
        PolicyContent.model_validate(content)


def test_the_shipped_policies_ask_for_eighty_percent_and_better_than_base_by_the_test_on_thirty_items() -> None:
    policies = shipped_policies()
    assert sorted(policies) == ["automatic", "guarded", "hybrid"]
    for policy in policies.values():
        assert all(rule.passed for rule in judge_gates(policy, evaluation(1, 0.8, 0.0)))
        assert not all(rule.passed for rule in judge_gates(policy, evaluation(1, 0.9, 0.95)))
        assert not all(rule.passed for rule in judge_gates(policy, evaluation(1, 1.0, 0.0, n=29)))
        undecided = evaluation(1, 0.85, 0.8, verdict="no_difference")
        assert not all(rule.passed for rule in judge_gates(policy, undecided))
