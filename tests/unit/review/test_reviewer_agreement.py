"""Krippendorff's alpha against published worked examples and exact fractions."""

from fractions import Fraction

import pytest

from services.review.panels.domain.agreement import agreement, alpha

# Krippendorff (2011), section E: four observers, twelve units, missing data; the values are those of its section.
FOUR_OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]
# The example with three coders and fifteen units in the article on alpha in Wikipedia.
THREE_CODERS = [
    [None, None, None, None, None, 3, 4, 1, 2, 1, 1, 3, 3, None, 3],
    [1, None, 2, 1, 3, 3, 4, 3, None, None, None, None, None, None, None],
    [None, None, 2, 1, 3, 4, 4, None, 2, 1, 1, 3, 3, None, 4],
]
# Krippendorff (2011), sections A and B: two observers; binary data and five categories.
BINARY = [[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]]
CATEGORIES = [list("aabbdcccedda"), list("babbbcccedd" + "d")]


def items(observers):
    return [list(item) for item in zip(*observers, strict=True)]


@pytest.mark.parametrize(
    ("observers", "level", "published"),
    [
        (BINARY, "nominal", "0.095"),
        ([[ord(value) for value in row] for row in CATEGORIES], "nominal", "0.692"),
        (FOUR_OBSERVERS, "nominal", "0.743"),
        (FOUR_OBSERVERS, "ordinal", "0.815"),
        (FOUR_OBSERVERS, "interval", "0.849"),
        (THREE_CODERS, "nominal", "0.691"),
        (THREE_CODERS, "interval", "0.811"),
    ],
)
def test_alpha_equals_the_published_examples(observers, level, published) -> None:
    found = alpha(items(observers), level)
    assert found is not None
    assert f"{found:.3f}" == published


def exact_alpha(scores, distance) -> Fraction:
    """Alpha by its definition over all pairs, in fractions."""
    rows = [[s for s in row if s is not None] for row in scores]
    rows = [row for row in rows if len(row) > 1]
    n = sum(len(row) for row in rows)
    observed = (
        sum(
            (
                Fraction(distance(a, b), len(row) - 1)
                for row in rows
                for i, a in enumerate(row)
                for j, b in enumerate(row)
                if i != j
            ),
            Fraction(0),
        )
        / n
    )
    every = [s for row in rows for s in row]
    expected = Fraction(
        sum(distance(a, b) for i, a in enumerate(every) for j, b in enumerate(every) if i != j), n * (n - 1)
    )
    return 1 - observed / expected


TABLE = [[1, 2, None], [3, 3, 3], [5, None, 4], [2, None, None], [1, 1, 5], [4, 4, 2]]


@pytest.mark.parametrize(
    ("level", "distance"), [("nominal", lambda a, b: int(a != b)), ("interval", lambda a, b: (a - b) ** 2)]
)
def test_alpha_equals_exact_fractions_with_missing_scores(level, distance) -> None:
    found = alpha(TABLE, level)
    assert found is not None
    assert abs(found - float(exact_alpha(TABLE, distance))) < 1e-9


def test_ordinal_alpha_equals_exact_fractions() -> None:
    every = [s for row in TABLE if sum(s is not None for s in row) > 1 for s in row if s is not None]
    counts = {value: every.count(value) for value in sorted(set(every))}

    def distance(a: int, b: int) -> Fraction:
        low, high = min(a, b), max(a, b)
        between = sum(count for value, count in counts.items() if low <= value <= high)
        return (between - Fraction(counts[a] + counts[b], 2)) ** 2

    found = alpha(TABLE, "ordinal")
    assert found is not None
    assert abs(found - float(exact_alpha(TABLE, distance))) < 1e-9


def test_alpha_is_undefined_when_all_scores_are_equal_and_raw_agreement_is_shown() -> None:
    found = agreement([[4, 4], [4, 4], [4, None]], "ordinal")
    assert (found.alpha, found.interval, found.raw, found.n) == (None, None, 1.0, 2)
    nothing = agreement([[4, None], [None, 3]], "ordinal")
    assert (nothing.alpha, nothing.raw, nothing.n) == (None, None, 0)


def test_the_bootstrap_interval_holds_alpha_and_is_the_same_each_time() -> None:
    rows = [[n % 5 + 1, min(n % 5 + 1 + (n % 7 == 0), 5)] for n in range(100)]
    found = agreement(rows, "interval", seed=3)
    assert found.interval is not None
    assert found.interval.low < found.alpha < found.interval.high
    assert found == agreement(rows, "interval", seed=3)
    assert found.interval.high - found.interval.low < 0.1
