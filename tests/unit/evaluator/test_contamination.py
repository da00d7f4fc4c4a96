"""Whether training held a question: told by runs of words, whatever stands around them."""

import json

import pytest

from services.evaluator.domain.contamination import Training, seen


def training(*texts: str) -> Training:
    rows = [{"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "ok"}]} for text in texts]
    return Training(b"".join(json.dumps(row).encode() + b"\n" for row in rows))


LONG = "Which sailor from Genoa reached the islands of the Caribbean in the year 1492 with three ships?"


@pytest.mark.parametrize(
    ("held", "question", "was_seen"),
    [
        (LONG, LONG, True),
        (f"Please answer shortly: {LONG.upper()} Thanks!", LONG, True),
        ("Which sailor reached the islands of the Pacific in 1521 with five ships?", LONG, False),
        ("Which sailor from Genoa reached the islands", LONG, False),
        ("What is the capital of France?", "What is the capital of France?", True),
        ("What is the capital of Spain?", "What is the capital of France?", False),
        ("请回答：中国第一个皇帝是谁？谢谢", "中国第一个皇帝是谁？", True),
        ("中国最后一个皇帝是谁？", "中国第一个皇帝是谁？", False),
        ("yes no", "yes no", False),
        ("", "", False),
    ],
)
def test_a_question_is_seen_where_training_held_most_of_its_words(held, question, was_seen) -> None:
    assert seen([question], training(held)) == [was_seen]


def test_a_prompts_own_words_that_training_shares_are_no_contamination() -> None:
    frame = "Extract street, house number, postal code and city from this address and answer as JSON:"
    held = [f"{frame} {n} Elm Road, Oldtown {n}" for n in range(50)]
    asked = [f"{frame} Lane {n} of Newtown beside the river Wye near {n} mills" for n in range(40)]
    assert not any(seen(asked, training(*held)))
    assert seen([*asked, held[7] + " behind the old green water mill of Ann"], training(*held, "x"))[-1] is False
    assert all(seen(asked, training(*held, *asked)))


def test_a_row_that_is_no_conversation_is_text() -> None:
    assert seen([LONG], Training(LONG.encode())) == [True]
