"""Agreement of a judge with people: equal to scipy, and None if it is undefined."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from services.evaluator.judging.domain.agreement import ReviewRatings, agreement


@pytest.mark.parametrize("steps", [5, 1000])
def test_spearman_equals_scipys_also_with_ties(steps: int) -> None:
    generator = np.random.default_rng(7)
    people = (generator.integers(0, steps, size=60) * 100 / steps).tolist()
    judge = [
        min(100.0, max(0.0, rating + noise)) for rating, noise in zip(people, generator.normal(5, 20, 60), strict=True)
    ]
    found = agreement(people, judge)
    assert found is not None
    assert found.spearman == pytest.approx(spearmanr(people, judge).statistic, abs=1e-9)
    assert found.interval is not None
    assert found.interval.low <= found.spearman <= found.interval.high
    differences = np.asarray(judge) - np.asarray(people)
    assert (found.n, found.mean_difference) == (60, pytest.approx(differences.mean(), abs=1e-9))
    assert found.mean_distance == pytest.approx(np.abs(differences).mean(), abs=1e-9)


@pytest.mark.parametrize(("people", "judge"), [((50.0,) * 4, (1.0, 2.0, 3.0, 4.0)), ((1.0, 2.0), (1.0, 2.0))])
def test_spearman_is_none_for_constant_ratings_and_for_too_few(people, judge) -> None:
    found = agreement(people, judge)
    assert found is not None
    assert (found.spearman, found.interval, found.n) == (None, None, len(people))


def test_answers_without_a_rating_of_the_judge_are_left_out() -> None:
    rated = ReviewRatings(id="r", judge="j", job_id="a", step=1, owner="o").rated([80, 20, 50], [0.5, None, 1.0])
    assert (rated.people, rated.judged) == ((80, 50), (50, 100))
    assert agreement((), ()) is None


def test_bootstrap_draws_without_a_correlation_do_not_count_as_zero() -> None:
    people, judge = [0.0, 100.0, 100.0, 100.0], [0.0, 100.0, 100.0, 100.0]
    found = agreement(people, judge)
    assert found is not None
    assert found.interval is not None
    # About a third of the draws lack the first answer, so that all ratings are equal.
    assert (found.spearman, found.interval.low, found.interval.high) == pytest.approx((1, 1, 1))
