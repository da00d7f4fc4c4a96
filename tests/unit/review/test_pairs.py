"""Pairs: blind, in random order, with ties; the win rate and the preference data set."""

import pytest

from services.review.pairs.domain.export import rows
from services.review.pairs.domain.pair import Pair
from services.review.pairs.domain.win_rate import win_rate

PROMPT = [{"role": "user", "content": "q"}]


def pair(item: str = "item-1", **winners: str) -> Pair:
    made = Pair(review_id="r", item_id=item, prompt=PROMPT, candidate="new", production="old")
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
    assert chosen.preferences[reviewer].winner == ("candidate" if left == "new" else "production")
    assert chosen.preferred(reviewer, "left", "", 2) is None


def test_the_win_rate_counts_a_tie_as_a_half_and_each_pair_the_same() -> None:
    found = win_rate(
        [pair("1", a="candidate", b="candidate"), pair("2", a="tie"), pair("3", a="production"), pair("4")]
    )
    assert (found.rate, found.pairs, found.wins, found.ties, found.losses) == (0.5, 3, 2, 1, 1)
    assert found.interval is not None
    assert found.interval.low == 0
    assert win_rate([pair()]).rate is None


def test_preferences_are_exported_in_both_shapes_and_ties_are_left_out() -> None:
    pairs = [pair("1", a="candidate"), pair("2", a="production", b="production", c="candidate"), pair("3", a="tie")]
    trl = list(rows([*pairs, pair("4", a="candidate", b="production")], "trl"))
    assert trl == [
        {
            "prompt": PROMPT,
            "chosen": [{"role": "assistant", "content": chosen}],
            "rejected": [{"role": "assistant", "content": rejected}],
        }
        for chosen, rejected in (("new", "old"), ("old", "new"))
    ]
    first = next(rows(pairs, "openai"))
    assert first == {
        "input": {"messages": PROMPT},
        "preferred_output": [{"role": "assistant", "content": "new"}],
        "non_preferred_output": [{"role": "assistant", "content": "old"}],
    }
