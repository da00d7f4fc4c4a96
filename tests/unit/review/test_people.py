"""How people's scores become one figure and a verdict."""

import pytest
from pydantic import ValidationError

from services.review.adapters.shipped import shipped_policies
from services.review.domain.policy import Rubric
from services.review.domain.review import (
    BadSamples,
    ItemScores,
    Review,
    ReviewClosed,
    UnknownItem,
    human_score,
    sample_items,
)
from shared.events import ModelApproved, ModelRejected, ReviewScored
from tests.unit.review.evidence import candidate, sample_lines

BEST = ItemScores(accuracy=5, politeness=5, usefulness=5)
WORST = ItemScores(accuracy=1, politeness=1, usefulness=1)
MIDDLE = ItemScores(accuracy=3, politeness=3, usefulness=3)


def open_review(items: int = 2) -> Review:
    return Review(
        candidate=candidate(10),
        policy=shipped_policies()["hybrid"],
        rules=(),
        items=sample_items(sample_lines(items), items, 0),
    )


def test_criteria_weigh_what_the_rubric_says() -> None:
    accurate_but_rude = ItemScores(accuracy=5, politeness=1, usefulness=3)
    assert accurate_but_rude.percent(Rubric()) == 40 + 0 + 15
    assert (WORST.percent(Rubric()), MIDDLE.percent(Rubric()), BEST.percent(Rubric())) == (0, 50, 100)
    assert accurate_but_rude.percent(Rubric(accuracy=100, politeness=0, usefulness=0)) == 100


def test_each_reviewer_weighs_the_same() -> None:
    assert human_score([{"a": BEST, "b": WORST}, {"a": BEST, "b": BEST}], Rubric()) == 75


@pytest.mark.parametrize("bad", [0, 6, 3.5, "3", None, True, float("nan")])
def test_a_score_is_a_whole_number_from_one_to_five(bad) -> None:
    with pytest.raises(ValidationError):
        ItemScores.model_validate({"accuracy": bad, "politeness": 3, "usefulness": 3})


@pytest.mark.parametrize(("given", "kind"), [(BEST, ModelApproved), (MIDDLE, ModelRejected)])
def test_the_verdict_comes_with_the_last_score_of_the_last_reviewer_wanted(given, kind) -> None:
    review, events = open_review(), []
    for reviewer in ("key_a", "key_b"):
        for item in review.items_for(reviewer):
            assert review.status == "open"
            review, events = review.scored(reviewer, item.id, given)
    scored, decision = events
    assert isinstance(scored, ReviewScored)
    assert scored.score == given.percent(Rubric())
    assert scored.reviewers == 2
    assert isinstance(decision, kind)
    assert decision.verdict.mode == "hybrid"
    assert decision.verdict.rules[-1].rule == "human_score at_least 70"
    assert review.status == "closed"


def test_one_who_scored_only_some_items_does_not_count() -> None:
    review = open_review()
    review, _ = review.scored("lazy", "item-1", WORST)
    for reviewer in ("key_a", "key_b"):
        for item in review.items_for(reviewer):
            review, _ = review.scored(reviewer, item.id, BEST)
    assert (review.status, review.score) == ("closed", 100)


def test_each_answers_score_is_told_for_whoever_rates_the_same_answers() -> None:
    review, events = open_review(), []
    review, _ = review.scored("lazy", "item-1", WORST)
    for reviewer, points in (
        ("key_a", {"item-1": BEST, "item-2": MIDDLE}),
        ("key_b", {"item-1": MIDDLE, "item-2": MIDDLE}),
    ):
        for item_id, given in points.items():
            review, events = review.scored(reviewer, item_id, given)
    [scored] = [event for event in events if isinstance(event, ReviewScored)]
    assert scored.item_scores == {"item-1": 75, "item-2": 50}


def test_a_score_can_be_replaced_until_the_review_closes() -> None:
    review, _ = open_review(1).scored("key_a", "item-1", WORST)
    assert review.scored("key_a", "item-1", WORST) is None
    review, _ = review.scored("key_a", "item-1", BEST)
    review, _ = review.scored("key_b", "item-1", BEST)
    assert review.score == 100
    assert review.scored("key_b", "item-1", BEST) is None
    with pytest.raises(ReviewClosed):
        review.scored("key_c", "item-1", BEST)


def test_a_score_for_an_item_that_is_not_there_is_refused() -> None:
    with pytest.raises(UnknownItem):
        open_review().scored("key_a", "item-99", BEST)


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


def test_each_reviewer_has_an_order_of_their_own() -> None:
    review = open_review(20)
    first, second = review.items_for("key_a"), review.items_for("key_b")
    assert first != second
    assert sorted(first, key=lambda item: item.id) == sorted(second, key=lambda item: item.id)
    assert first == review.items_for("key_a")
