"""What few items cannot tell agrees with the exact test."""

import pytest

from services.evaluator.scoring.domain.paired_test import ALPHA, mcnemar
from shared.small_samples import least_difference, limits_of


@pytest.mark.parametrize("n", [6, 7, 12, 29])
def test_the_least_difference_is_the_smallest_that_the_test_confirms(n: int) -> None:
    least = least_difference(n)
    assert least is not None
    changed = round(least * n)
    assert mcnemar(changed, 0) <= ALPHA < mcnemar(changed - 1, 0)


def test_fewer_than_six_items_confirm_nothing_and_thirty_are_not_few() -> None:
    assert least_difference(5) is None
    assert mcnemar(5, 0) > ALPHA
    assert limits_of(5) == "5 items cannot confirm any difference between two models"
    assert limits_of(12) == "12 items cannot confirm a difference of less than 50 % between two models"
    assert limits_of(30) == ""
