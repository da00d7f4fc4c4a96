"""How far a judge and people agree: equal to scipy, and silent where there is nothing to say."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from services.evaluator.domain.agreement import Judged, agreement


@pytest.mark.parametrize("steps", [5, 1000])
def test_the_correlation_of_ranks_is_scipys_ties_included(steps: int) -> None:
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
    apart = np.asarray(judge) - np.asarray(people)
    assert (found.n, found.mean_difference) == (60, pytest.approx(apart.mean(), abs=1e-9))
    assert found.mean_distance == pytest.approx(np.abs(apart).mean(), abs=1e-9)


@pytest.mark.parametrize(("people", "judge"), [((50.0,) * 4, (1.0, 2.0, 3.0, 4.0)), ((1.0, 2.0), (1.0, 2.0))])
def test_where_ranks_say_nothing_none_are_given(people, judge) -> None:
    found = agreement(people, judge)
    assert found is not None
    assert (found.spearman, found.interval, found.n) == (None, None, len(people))


def test_what_the_judge_could_not_judge_is_no_agreement() -> None:
    rated = Judged(judge="j", job_id="a", step=1, owner="o").rated([80, 20, 50], [0.5, None, 1.0])
    assert (rated.people, rated.judged) == ((80, 50), (50, 100))
    assert agreement((), ()) is None
