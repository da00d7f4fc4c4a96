"""How people's scores become one figure."""

import pytest

from services.review.panels.domain.item import BadSamples, sample_items
from services.review.panels.domain.scorecard import (
    Decision,
    NotAssigned,
    ReviewClosed,
    Score,
    Scorecard,
    place_for,
)
from services.review.panels.domain.scoring import equal_items, human_evidence, item_scores
from services.review.policies.domain.policy import Policy
from services.review.policies.domain.rubric import BadScore, Rubric
from tests.unit.review.evidence import sample_lines

POLICY = Policy.model_validate({"name": "p", "mode": "human", "reviewers_wanted": 2})
BEST = {"accuracy": 5, "politeness": 5, "usefulness": 5}
MIDDLE = {"accuracy": 3, "politeness": 3, "usefulness": 3}
WORST = {"accuracy": 1, "politeness": 1, "usefulness": 1}


def card(item_id: str, **given: dict[str, int]) -> Scorecard:
    made = Scorecard(review_id="r", item_id=item_id, wanted=2)
    for reviewer, points in given.items():
        made = made.scored(reviewer, Score(points=points), 0) or made
    return made


def test_criteria_weigh_what_the_rubric_says() -> None:
    accurate_but_rude = {"accuracy": 5, "politeness": 1, "usefulness": 3}
    assert Rubric().percent(accurate_but_rude) == 40 + 0 + 15
    assert [Rubric().percent(each) for each in (WORST, MIDDLE, BEST)] == [0, 50, 100]
    short = Rubric.model_validate({"accuracy": 100, "politeness": 0, "usefulness": 0})
    assert short.percent(accurate_but_rude) == 100
    assert short.criteria[0].anchors == Rubric().criteria[0].anchors


def test_a_rubric_may_have_any_criteria_and_any_scale() -> None:
    tone = {"name": "tone", "weight": 100, "anchors": [str(level) for level in range(11)]}
    rubric = Rubric.model_validate({"lowest": 0, "highest": 10, "criteria": [tone]})
    assert rubric.check({"tone": 10}) == {"tone": 10}
    with pytest.raises(BadScore, match="tone: must be a whole number from 0 to 10, not 11"):
        rubric.check({"tone": 11})


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"accuracy": 50, "politeness": 30, "usefulness": 30}, "must sum to 100"),
        ({"criteria": [{"name": "a", "weight": 50}, {"name": "a", "weight": 50}]}, "different names"),
        ({"criteria": [{"name": "a", "weight": 100, "anchors": ["bad", "good"]}]}, "one anchor for each of the 5"),
    ],
)
def test_a_rubric_that_makes_no_sense_is_refused(given, reason) -> None:
    with pytest.raises(ValueError, match=reason):
        Rubric.model_validate(given)


@pytest.mark.parametrize("bad", [0, 6, 3.5, "3", None, True, float("nan")])
def test_a_score_is_a_whole_number_on_the_scale(bad) -> None:
    with pytest.raises(BadScore, match="accuracy"):
        Rubric().check({**BEST, "accuracy": bad})


def test_each_item_weighs_the_same_however_many_scored_it() -> None:
    cards = [card("a", x=BEST, y=WORST), card("b", x=BEST)]
    evidence = human_evidence(cards, POLICY)
    assert evidence is not None
    assert (evidence.score, evidence.items, evidence.reviewers, evidence.missing) == (75, 2, 2, 1)
    assert item_scores(cards, POLICY) == {"a": 50, "b": 100}
    assert evidence.interval is not None
    assert (evidence.interval.low, evidence.interval.high) == (0, 100)


def test_an_adjudicators_decision_counts_and_the_scores_stay() -> None:
    disputed = card("a", x=BEST, y=WORST).model_copy(update={"decision": Decision(points=MIDDLE, by="z")})
    evidence = human_evidence([disputed, card("b", x=BEST, y=BEST)], POLICY)
    assert evidence is not None
    assert evidence.score == 75
    assert disputed.scores["x"].points == BEST
    assert evidence.agreement["accuracy"].n == 2


def test_an_item_takes_as_many_reviewers_as_wanted_and_no_more() -> None:
    full = card("a", x=BEST).leased("y", until=100, now=0)
    assert not full.complete
    with pytest.raises(NotAssigned):
        full.scored("z", Score(points=BEST), 50)
    after_expiry = full.scored("z", Score(points=BEST), 100)
    assert after_expiry is not None
    assert after_expiry.complete
    assert set(after_expiry.scores) == {"x", "z"}


def test_the_same_score_again_changes_nothing_and_another_one_replaces_it() -> None:
    scored = card("a", x=WORST)
    assert scored.scored("x", Score(points=WORST, at=9), 1) is None
    replaced = scored.scored("x", Score(points=BEST), 1)
    assert replaced is not None
    assert replaced.scores["x"].points == BEST


def test_a_sealed_scorecard_takes_no_score_but_answers_a_repeated_one() -> None:
    sealed = card("a", x=BEST).model_copy(update={"sealed": True})
    assert sealed.scored("x", Score(points=BEST), 1) is None
    for change in (lambda: sealed.scored("x", Score(points=WORST), 1), lambda: sealed.undone("x", 9)):
        with pytest.raises(ReviewClosed):
            change()


def test_an_undone_score_is_a_lease_again() -> None:
    undone = card("a", x=BEST, y=BEST).undone("x", until=100)
    assert undone is not None
    assert not undone.complete
    assert set(undone.scores) == {"y"}
    assert undone.open_to("x", 50)
    assert not undone.open_to("z", 50)


def test_unfinished_items_can_be_given_to_another_reviewer() -> None:
    begun = card("a", x=BEST).leased("gone", until=100, now=0)
    moved = begun.reassigned("gone", "new")
    assert moved is not None
    assert moved.open_to("new", 10**6)
    assert not moved.open_to("gone", 50)
    assert card("b", x=BEST).reassigned("x", "new") is None


def test_the_draw_is_the_same_each_time_and_another_with_another_seed() -> None:
    lines = sample_lines(100)
    assert sample_items(lines, 20, 1) == sample_items(lines, 20, 1)
    assert sample_items(lines, 20, 1) != sample_items(lines, 20, 2)
    assert len({item.id for item in sample_items(lines, 20, 1)}) == 20
    assert len(sample_items(sample_lines(3), 20, 1)) == 3


@pytest.mark.parametrize("content", [b"", b"{oops\n", b'{"prompt": []}\n', b"[1]\n", b'{"prompt":1,"reference":2}\n'])
def test_samples_that_break_the_contract_are_named(content) -> None:
    with pytest.raises(BadSamples):
        sample_items(content, 20, 0)


def test_each_reviewer_has_a_random_order_that_stays() -> None:
    ids = [f"item-{n}" for n in range(20)]
    first, second = (sorted(ids, key=lambda item: place_for(key, item)) for key in ("key_a", "key_b"))
    assert first != second
    assert first == sorted(ids, key=lambda item: place_for("key_a", item))


def test_equal_items_are_those_with_two_scores_that_do_not_differ_on_a_criterion() -> None:
    cards = [card("a", ana=BEST, ben=BEST), card("b", ana=BEST, ben={**BEST, "accuracy": 2}), card("c", ana=BEST)]
    assert equal_items(cards, POLICY) == {"accuracy": 1, "politeness": 2, "usefulness": 2}
    assert cards[1].differences() == {"accuracy": 3, "politeness": 0, "usefulness": 0}
    assert (cards[1].spread(), cards[2].spread()) == (3, 0)
