"""Pairs: blind, in random order, with ties; the win rate and the preference dataset."""

import pytest

from services.review.ownership import Caller
from services.review.pairs.domain.export import rows
from services.review.pairs.domain.pair import ModelAnswer, Pair
from services.review.pairs.domain.win_rate import win_rates
from services.review.pairs.service import last_of

PROMPT = [{"role": "user", "content": "q"}]


NEW = ModelAnswer(model="ft:new", text="new")


def pair(item: str = "item-1", against: str = "ft:old", **winners: str) -> Pair:
    baseline = ModelAnswer(model=against, text="old")
    made = Pair(review_id="r", item_id=item, prompt=PROMPT, candidate=NEW, baseline=baseline)
    for reviewer, winner in winners.items():
        left = made.candidate_is_left(reviewer)
        side = "tie" if winner == "tie" else "left" if (winner == "candidate") == left else "right"
        made = made.preferred(reviewer, side, "", 1) or made
    return made


def test_the_sides_are_random_and_stay_for_each_reviewer() -> None:
    shown = [pair(f"item-{n}").shown_to("a") for n in range(200)]
    assert 60 < sum(left == "new" for left, _ in shown) < 140
    assert shown == [pair(f"item-{n}").shown_to("a") for n in range(200)]


@pytest.mark.parametrize("reviewer", ["a", "b", "c", "d", "e", "f"])
def test_the_better_side_is_the_answer_that_the_reviewer_saw_there(reviewer) -> None:
    left = pair().shown_to(reviewer)[0]
    chosen = pair().preferred(reviewer, "left", "", 1)
    assert chosen is not None
    assert chosen.preferences[reviewer].winner == ("candidate" if left == "new" else "baseline")
    assert chosen.preferred(reviewer, "left", "", 2) is None


@pytest.mark.parametrize("side", ["left", "right", "tie"])
@pytest.mark.parametrize("reviewer", ["a", "b", "c"])
def test_a_reviewer_is_shown_the_side_that_they_preferred(reviewer, side) -> None:
    assert pair().side_preferred(reviewer) is None
    chosen = pair().preferred(reviewer, side, "", 1)
    assert chosen is not None
    assert chosen.side_preferred(reviewer) == side


def test_the_last_pair_of_a_reviewer_is_the_one_they_compared_last() -> None:
    first, second = (pair(item).preferred("a", "tie", "", at) for item, at in (("1", 5), ("2", 9)))
    assert first is not None
    assert second is not None
    found = last_of([second, first, pair("3", b="tie")], Caller(id="a"))
    assert found == second
    assert last_of([pair("3", b="tie")], Caller(id="a")) is None


def test_the_win_rate_counts_a_tie_as_a_half_and_each_pair_the_same() -> None:
    pairs = [pair("1", a="candidate", b="candidate"), pair("2", a="tie"), pair("3", a="baseline"), pair("4")]
    [found] = win_rates(pairs)
    assert (found.candidate, found.baseline) == ("ft:new", "ft:old")
    assert (found.rate, found.pairs, found.all_pairs) == (0.5, 3, 4)
    assert (found.wins, found.ties, found.losses) == (2, 1, 1)
    assert found.interval is not None
    assert found.interval.low == 0
    assert win_rates([pair()])[0].rate is None
    assert win_rates([]) == []


def test_preferences_are_exported_in_both_shapes_and_ties_are_left_out() -> None:
    pairs = [pair("1", a="candidate"), pair("2", a="baseline", b="baseline", c="candidate"), pair("3", a="tie")]
    trl = list(rows([*pairs, pair("4", a="candidate", b="baseline")], "trl"))
    assert trl == [
        {
            "prompt": PROMPT,
            "chosen": [{"role": "assistant", "content": chosen}],
            "rejected": [{"role": "assistant", "content": rejected}],
            "chosen_model": f"ft:{chosen}",
            "rejected_model": f"ft:{rejected}",
        }
        for chosen, rejected in (("new", "old"), ("old", "new"))
    ]
    first = next(rows(pairs, "openai"))
    assert first == {
        "input": {"messages": PROMPT},
        "preferred_output": [{"role": "assistant", "content": "new"}],
        "non_preferred_output": [{"role": "assistant", "content": "old"}],
        "chosen_model": "ft:new",
        "rejected_model": "ft:old",
    }


def test_each_baseline_has_a_win_rate_of_its_own_and_the_pairs_have_different_ids() -> None:
    pairs = [pair("1", a="candidate"), pair("1", "ft:other", a="baseline")]
    assert {each.baseline: each.rate for each in win_rates(pairs)} == {"ft:old": 1, "ft:other": 0}
    first, second = (each.key for each in pairs)
    assert first != second
    assert "other" not in second
