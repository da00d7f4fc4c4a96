"""Each metric with right, wrong and unusual answers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from services.evaluator.scoring.domain.metrics import Tokens, bleu, exact_match, json_fields, measure, rouge_l


@pytest.mark.parametrize(
    ("answer", "reference", "value"),
    [
        ("yes", " yes\n", 1),
        ("Yes", "yes", 0),
        ("", "yes", 0),
        ('{"b": 2, "a": 1}', '{"a":1,"b":2}', 1),
        ('{"a": 1.0}', '{"a": 1}', 1),
        ('{"a": true}', '{"a": 1}', 0),
        ('{"a": [1, 2]}', '{"a": [2, 1]}', 0),
        ('{"a": null}', "{}", 0),
        ("```json\n{}\n```", "{}", 0),
        ('{"a": NaN}', '{"a": NaN }', 0),
        ("[" * 100_000, "[]", 0),
        ("北京市", "北京市", 1),
    ],
)
def test_an_exact_match_is_equal_as_text_or_as_json(answer, reference, value) -> None:
    assert exact_match([answer], [reference]).items == (value,)


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ('{"city":"Rome","zip":null,"no":1,"x":{"y":[1]}}', 1),
        ('{"city":"Rome"}', 0.25),
        ('{"city":"Rom","zip":null,"no":true,"x":{"y":[1,2]},"more":1}', 0.25),
        ("[]", 0),
        ('"city"', 0),
        ("The city is Rome", 0),
        ("", 0),
    ],
)
def test_field_accuracy_is_the_share_of_the_references_fields_that_are_right(answer, value) -> None:
    measured = json_fields([answer], ['{"city":"Rome","zip":null,"no":1,"x":{"y":[1]}}'])
    assert measured is not None
    assert measured.items == (value,)


def test_field_accuracy_leaves_out_references_that_are_not_json_objects() -> None:
    measured = json_fields(['{"a":1}', "x"], ['{"a":1}', "free text"])
    assert measured is not None
    assert measured.items == (1, None)
    assert (measured.score.value, measured.score.n) == (1, 1)
    assert json_fields(["x", "3"], ["free text", "3"]) is None


def test_bleu_equals_sacrebleu() -> None:
    # Right are 5 of 6 words, 3 of 5 pairs, 2 of 4 triples and 1 of 3 quadruples; the lengths are equal.
    answer, reference = "the cat sat on a mat", "the cat sat on the mat"
    assert bleu([answer], [reference]).score.value == pytest.approx((5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)


def test_bleu_splits_chinese_into_characters_and_handles_short_answers() -> None:
    wrong_in_one = bleu(["我住在北京市东路八号"], ["我住在北京市西路八号"])
    assert 0.5 < wrong_in_one.score.value < 1
    assert bleu(["yes"], ["yes"]).score.value == 1
    assert bleu(["", ""], ["yes", "no"]).score.value == 0


def test_rouge_l_counts_words_in_order_and_chinese_by_character() -> None:
    assert rouge_l(["the cat on mat"], ["the cat sat on the mat"]).score.value == pytest.approx(
        2 * 1 * 4 / 6 / (1 + 4 / 6)
    )
    assert rouge_l(["北京东路"], ["北京西路"]).score.value == pytest.approx(0.75)
    assert rouge_l(["", "Straße"], ["x", "straße"]).items == (0, 1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["the", "cat", "sat", "北", "京", "Straße"]), max_size=9), st.data())
def test_rouge_l_equals_rouge_score(said, data) -> None:
    wanted = data.draw(st.lists(st.sampled_from(["the", "cat", "sat", "北", "京", "straße"]), max_size=9))
    texts = " ".join(said), " ".join(wanted)
    theirs = RougeScorer(["rougeL"], tokenizer=Tokens()).score(texts[1], texts[0])["rougeL"].fmeasure
    assert rouge_l([texts[0]], [texts[1]]).score.value == pytest.approx(theirs, abs=1e-9)


def test_an_empty_answer_counts_as_wrong() -> None:
    measured = measure(["", '{"a":1}'], ['{"a":1}', '{"a":1}'])
    for name in ("exact_match", "json_fields", "rouge_l"):
        assert (measured[name].score.value, measured[name].score.n) == (0.5, 2)
    assert "json_fields" not in measure(["x"], ["y"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=30), st.text(min_size=1, max_size=30)), min_size=1, max_size=4))
def test_every_score_is_between_zero_and_one_and_every_item_has_a_value(pairs) -> None:
    answers, references = [a for a, _ in pairs], [r for _, r in pairs]
    for measured in measure(answers, references).values():
        assert len(measured.items) == len(pairs)
        assert all(value is None or 0 <= value <= 1 for value in measured.items)
        assert 0 <= measured.score.value <= 1
    assert measure(references, references)["exact_match"].score.value == 1
