"""Intervals and tests equal the reference libraries and have their stated error rates."""

import cProfile
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from scipy.stats import binomtest, permutation_test

from services.evaluator.scoring.domain import intervals
from services.evaluator.scoring.domain.metrics import bleu, exact_match, rouge_l
from services.evaluator.scoring.domain.paired_test import compare, holm, mcnemar, paired_test, sign_flips

SIMULATIONS = 200
RECORDED = Path(__file__).with_name("recorded_probabilities.json")
"""Probabilities of the right choice by a checkpoint of SmolLM2-135M-Instruct: 14 questions per subject, by task."""


@pytest.mark.parametrize(("right", "n"), [(0, 5), (5, 5), (1, 3), (37, 50), (999, 1000)])
def test_a_proportions_interval_equals_scipys_wilson_interval(right, n) -> None:
    ours, theirs = intervals.wilson(right, n), binomtest(right, n).proportion_ci(method="wilson")
    assert (ours.low, ours.high) == (pytest.approx(theirs.low, abs=1e-9), pytest.approx(theirs.high, abs=1e-9))


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (5, 0), (3, 9), (9, 3), (40, 40), (700, 900)])
def test_mcnemar_equals_the_binomial_sum(gained, lost) -> None:
    n = gained + lost
    tail = sum(math.comb(n, k) for k in range(min(gained, lost) + 1))
    assert mcnemar(gained, lost) == pytest.approx(min(1.0, 2 * tail / 2**n), abs=1e-9)


def test_mcnemar_of_100_000_items_takes_few_operations() -> None:
    """Counts Python calls, not seconds: the sum of binomial coefficients takes one per item."""
    mcnemar(1, 2)
    profile = cProfile.Profile()
    p_value = profile.runcall(mcnemar, 49_500, 50_500)
    # With a continuity correction, the normal approximation of so many items has three exact digits.
    assert p_value == pytest.approx(math.erfc((1000 - 1) / math.sqrt(100_000) / math.sqrt(2)), rel=1e-3)
    assert sum(entry.callcount for entry in profile.getstats()) < 5_000


def test_sign_flips_are_close_to_the_exact_permutation_test() -> None:
    differences = np.random.default_rng(3).normal(0.2, 0.4, size=12)
    exact = permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf, vectorized=True, axis=0
    )
    assert sign_flips(differences.tolist()) == pytest.approx(exact.pvalue, abs=0.02)


def test_holm_of_a_worked_example() -> None:
    # 0.01 x 4, 0.02 x 3 = 0.06, 0.03 x 2 = 0.06, and 0.04 x 1 may not be less than those before it.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
@settings(max_examples=50, deadline=None)
def test_an_interval_contains_its_mean_and_is_reproducible(values) -> None:
    interval = intervals.mean_interval(values)
    spare = 1e-9 if interval.method == "wilson" else (max(values) - min(values)) / 2 + 1e-9
    assert interval.low - spare <= sum(values) / len(values) <= interval.high + spare
    assert interval == intervals.mean_interval(values)


def test_a_bootstrap_interval_has_its_stated_coverage() -> None:
    generator = np.random.default_rng(11)
    held = 0
    for _ in range(SIMULATIONS):
        interval = intervals.mean_interval(generator.beta(2, 3, size=100).tolist())
        held += interval.low <= 0.4 <= interval.high
    assert held / SIMULATIONS >= 0.9


def test_scores_have_intervals() -> None:
    answers, references = ["a b c d", "x", "the cat sat"], ["a b c d", "y", "the cat sat down"]
    assert exact_match(answers, references).interval == intervals.wilson(1, 3)
    for measured in (bleu(answers, references), rouge_l(answers, references)):
        assert measured.interval is not None
        assert measured.interval.low <= measured.score.value <= measured.interval.high
        assert (measured.interval.method, measured.interval.seed) == ("bootstrap", 0)


def test_bleus_bootstrap_uses_sacrebleus_corpus_score() -> None:
    from services.evaluator.scoring.domain.metrics import _corpus_bleu

    answers, references = ["the cat sat on a mat", "a dog", "we go home now"], ["the cat sat on the mat", "a", "we go"]
    metric = BLEU(effective_order=True)
    sentences = [metric.sentence_score(a, [r]) for a, r in zip(answers, references, strict=True)]
    assert _corpus_bleu(sentences) == pytest.approx(metric.corpus_score(answers, [references]).score / 100, abs=1e-9)


def test_equal_models_differ_no_more_often_than_alpha() -> None:
    """200 comparisons of two draws with the same per-item probabilities, with four metrics each."""
    generator = np.random.default_rng(5)
    wrong = 0
    for _ in range(SIMULATIONS):
        chances = generator.beta(2, 2, size=120)
        runs = [_run(chances, generator) for _ in range(2)]
        wrong += any(found.verdict != "no_difference" for found in compare(runs[0], runs[1], "base"))
    assert wrong <= 0.05 * SIMULATIONS


def test_a_real_model_with_different_seeds_differs_from_itself_no_more_often_than_alpha() -> None:
    """On the shipped questions: each seed draws answers by the recorded probabilities of being right."""
    recorded: dict[str, list[float]] = json.loads(RECORDED.read_text())
    generator = np.random.default_rng(9)
    wrong = 0
    for _ in range(SIMULATIONS):
        runs = [
            [{task: float(generator.random() < chance)} for task, chances in recorded.items() for chance in chances]
            for _seed in range(2)
        ]
        found = compare(runs[0], runs[1], "base")
        assert {each.metric: each.n for each in found} == {"english": 112, "chinese": 70}
        wrong += any(each.verdict != "no_difference" for each in found)
    assert wrong <= 0.05 * SIMULATIONS


def test_a_planted_difference_is_found_with_the_documented_power() -> None:
    """200 items: 5 % become wrong and 15 % become right."""
    generator = np.random.default_rng(6)
    found = 0
    for _ in range(SIMULATIONS):
        fate = generator.choice([-1, 0, 1], p=[0.05, 0.80, 0.15], size=200)
        found += paired_test([(float(f >= 0), float(f <= 0)) for f in fate]).p_value <= 0.05
    # docs/evaluating.md says 89 %; 200 simulations deviate by 7 points once in a thousand runs.
    assert abs(found / SIMULATIONS - 0.89) <= 0.07


def test_a_verdict_needs_significance_and_has_a_direction() -> None:
    worse = compare([{"a": 0.0}] * 20, [{"a": 1.0}] * 20, "base")[0]
    assert (worse.verdict, worse.gained, worse.lost, worse.difference) == ("worse", 0, 20, -1)
    assert compare([{"a": 1.0}] * 20, [{"a": 0.0}] * 20, "base")[0].verdict == "better"
    assert compare([{"a": 1.0}] * 3, [{"a": 0.0}] * 3, "base")[0].verdict == "no_difference"


def test_only_items_with_values_of_both_models_are_compared() -> None:
    mine = [{"a": 1.0, "b": 0.5}, {"a": 0.0}, {"a": 1.0, "only": 1.0}]
    others = [{"a": 1.0, "b": 0.5}, {"a": 1.0, "b": 0.1}, {"a": 1.0}]
    assert [(found.metric, found.n) for found in compare(mine, others, "base")] == [("a", 3), ("b", 1)]


def _run(chances: np.ndarray, generator: np.random.Generator) -> list[dict[str, float]]:
    right = generator.random(len(chances)) < chances
    soft = np.clip(chances[:, None] + generator.normal(0, 0.2, size=(len(chances), 3)), 0, 1)
    return [
        {"exact": float(r), "f": float(s[0]), "g": float(s[1]), "h": float(s[2])}
        for r, s in zip(right, soft, strict=True)
    ]
