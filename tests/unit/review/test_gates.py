"""What each gate of a policy lets pass."""

import pytest
from pydantic import ValidationError

from services.review.policies.domain.gate import Gate
from services.review.policies.domain.policy import PolicyContent
from services.review.policies.domain.verdict import judge_gates
from services.review.policies.shipped import shipped_policies
from shared.events import Failure, Interval
from shared.rule_figures import figure_of, limit_of
from tests.unit.review.evidence import evaluation


@pytest.mark.parametrize(
    ("demand", "rule"),
    [
        ({"at_least": 0.8}, "exact_match at least 0.8"),
        ({"at_most": 0.2}, "exact_match at most 0.2"),
        ({"better_than_base": 0.0}, "exact_match better than the base model"),
        (
            {"better_than_base": 0.0, "by_test": True},
            "exact_match better than the base model, by the paired test",
        ),
        ({"better_than_production": 0.25}, "exact_match more than 0.25 better than the version in production"),
        ({"better_than_base": -0.05}, "exact_match less than 0.05 worse than the base model"),
        (
            {"not_worse_than_base": 0.02},
            "exact_match less than 0.02 worse than the base model, by the paired test",
        ),
        ({"not_worse_than_base": 0.0}, "exact_match not worse than the base model, by the paired test"),
    ],
)
def test_a_rule_is_named_in_words(demand, rule) -> None:
    assert Gate(metric="exact_match", **demand).rule == rule


@pytest.mark.parametrize(
    ("demand", "figure", "base", "passed", "shown", "reason"),
    [
        ({"at_least": 0.8}, 0.93, 0.1, True, ("0.930", "0.800"), "n 40"),
        ({"at_least": 0.8}, 0.8, 0.1, True, ("0.800", "0.800"), "n 40"),
        ({"at_least": 0.8}, 0.79, 0.1, False, ("0.790", "0.800"), "n 40"),
        ({"at_least": 0.8}, 0.79996, 0.1, False, ("0.800", "0.800"), "exactly 0.79996, n 40"),
        ({"at_most": 0.2}, 0.2, 0.1, True, ("0.200", "0.200"), "n 40"),
        ({"at_most": 0.2}, 0.3, 0.1, False, ("0.300", "0.200"), "n 40"),
        (
            {"better_than_base": 0.0},
            0.3,
            0.1,
            True,
            ("+0.200", "0.000"),
            "0.300 against 0.100, n 40, 95 % interval +0.190 to +0.210",
        ),
        (
            {"better_than_base": 0.0},
            0.1,
            0.1,
            False,
            ("0.000", "0.000"),
            "0.100 against 0.100, n 40, 95 % interval −0.010 to +0.010",
        ),
        (
            {"better_than_base": 0.25},
            0.3,
            0.1,
            False,
            ("+0.200", "+0.250"),
            "0.300 against 0.100, n 40, 95 % interval +0.190 to +0.210",
        ),
        (
            {"better_than_base": 0.0, "by_test": True},
            0.1,
            0.1,
            False,
            ("0.000", "0.000"),
            "0.100 against 0.100, n 40, 95 % interval −0.010 to +0.010, the test finds no difference, p = 0.001",
        ),
        (
            {"better_than_base": 0.195},
            0.3,
            0.1,
            True,
            ("+0.200", "+0.195"),
            "0.300 against 0.100, n 40, 95 % interval +0.190 to +0.210, which reaches below the limit",
        ),
        (
            {"not_worse_than_base": 0.02},
            0.085,
            0.1,
            False,
            ("−0.015", "−0.020"),
            "n 40, 95 % interval −0.025 to −0.005, which reaches below the limit",
        ),
        ({"at_least": 0.0}, None, 0.1, False, ("", "0.000"), "exact_match was not measured for the checkpoint"),
    ],
)
def test_a_gate_shows_figure_and_limit_and_says_what_they_do_not(demand, figure, base, passed, shown, reason) -> None:
    outcome = Gate(metric="exact_match", **demand).judge(evaluation(1, figure, base))
    assert (outcome.passed, outcome.reason) == (passed, reason)
    assert (figure_of(outcome), limit_of(outcome)) == shown


def test_a_figure_whose_interval_reaches_below_the_limit_passes_with_a_note() -> None:
    around = Interval(low=0.758, high=0.967, level=0.95, method="made up")
    known = evaluation(1, 0.909).model_copy(update={"intervals": {"exact_match": around}})
    outcome = Gate(metric="exact_match", at_least=0.8).judge(known)
    assert outcome.passed
    assert outcome.reason == "n 40, 95 % interval 0.758 to 0.967, which reaches below the limit"


@pytest.mark.parametrize(("p", "words"), [(7.45e-09, "p < 0.001"), (0.0312, "p = 0.031"), (1.0, "p = 1.000")])
def test_a_small_p_value_is_not_written_with_an_exponent(p: float, words: str) -> None:
    known = evaluation(1, 0.909, 0.0)
    tests = tuple(each.model_copy(update={"p_adjusted": p}) for each in known.comparisons)
    gate = Gate(metric="exact_match", better_than_base=0, by_test=True)
    assert gate.judge(known.model_copy(update={"comparisons": tests})).reason.endswith(words)


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
        "12 items cannot confirm a difference of less than 50 % between two models"
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
