"""Which reviewers are named, in simulated panels and in small examples."""

import numpy as np
import pytest

from services.review.panels.domain.reviewer_quality import break_due, findings
from services.review.panels.domain.scored import Scored

WEIGHTS = np.array([0.4, 0.3, 0.3])


def panel(seed: int, careless: bool = False, biased: bool = False, noise: float = 0.7) -> dict[str, list[Scored]]:
    """Five reviewers who see the same quality with noise and small differences in level."""
    random, items = np.random.default_rng(seed), 100
    quality = np.clip(random.normal(3.6, 1, (items, 3)), 1, 5)
    found: dict[str, list[Scored]] = {}
    for reviewer in range(5):
        level = -1.0 if biased and reviewer == 1 else random.normal(0, 0.15)
        points = np.clip(np.rint(quality + level + random.normal(0, noise, (items, 3))), 1, 5)
        if careless and reviewer == 0:
            points = random.integers(1, 6, (items, 3))
        percents = ((points - 1) / 4 * 100) @ WEIGHTS
        found[f"r{reviewer}"] = [
            Scored(item_id=str(item), percent=float(percents[item]), at=float(at), points=tuple(points[item].tolist()))
            for at, item in enumerate(random.permutation(items))
        ]
    return found


@pytest.mark.parametrize("noise", [0.7, 1.3])
def test_a_careless_and_a_biased_reviewer_are_told_from_good_ones_in_95_of_100_panels(noise: float) -> None:
    """`noise` is the standard deviation of a good reviewer's points about the quality, on a scale from 1 to 5."""
    both = false_alarms = 0
    for seed in range(100):
        false_alarms += bool(findings(panel(seed, noise=noise)))
        odd = panel(1000 + seed, careless=True, biased=True, noise=noise)
        found = {(each.reviewer, each.kind) for each in findings(odd)}
        both += {("r0", "careless"), ("r1", "strict")} <= found
    assert both >= 95
    assert false_alarms <= 5


def rows(percents, seconds=None) -> list[Scored]:
    return [
        Scored(item_id=str(n), percent=value, at=n, seconds=seconds[n] if seconds else None)
        for n, value in enumerate(percents)
    ]


GOOD = [20.0 * (n % 6) for n in range(60)]


@pytest.mark.parametrize(
    ("odd", "kind"),
    [
        (rows([80.0] * 60), "constant"),
        (rows([min(value + 25, 100) for value in GOOD]), "lenient"),
        (rows([max(value - 25, 0) for value in GOOD]), "strict"),
        (rows([value + n for n, value in enumerate(GOOD)]), "drifts"),
        (rows(GOOD, [2.0] * 60), "rushes"),
    ],
)
def test_each_kind_of_oddness_is_named_with_its_figures(odd, kind) -> None:
    seconds = [20.0 + n % 5 for n in range(60)]
    found = findings({"odd": odd, **{name: rows(GOOD, seconds) for name in "bcde"}})
    assert (kind, "odd") in {(each.kind, each.reviewer) for each in found}
    assert {each.reviewer for each in found} == {"odd"}
    assert all(any(sign.isdigit() for sign in each.reason) for each in found)


def test_a_reviewer_who_contradicts_the_own_first_scores_is_named() -> None:
    good = {name: rows(GOOD) for name in "abc"}
    assert findings(good, {"a": [0, 12.5, 0]}) == []
    [found] = findings(good, {"a": [50, 25, 75]})
    assert (found.reviewer, found.kind) == ("a", "inconsistent")


def test_few_items_accuse_nobody() -> None:
    assert findings({"a": rows([100.0] * 9), "b": rows([0.0] * 9)}) == []


def test_a_break_is_proposed_when_the_pace_changes() -> None:
    assert break_due([10.0] * 10 + [20.0] * 10)
    assert break_due([10.0] * 10 + [4.0] * 10)
    assert not break_due([10.0] * 20)
    assert not break_due([10.0] * 10 + [30.0] * 5)
