"""A question is found in training rows that are near to it, and in those that contain it among other text."""

import json

import pytest

from services.evaluator.evaluation.domain.contamination import TrainingPrompts, asked_text, contaminated


def training(*texts: str) -> TrainingPrompts:
    rows = [{"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "ok"}]} for text in texts]
    return TrainingPrompts(b"".join(json.dumps(row).encode() + b"\n" for row in rows))


LONG = "Which sailor from Genoa reached the islands of the Caribbean in the year 1492 with three ships?"


@pytest.mark.parametrize(
    ("held", "question", "expected"),
    [
        (LONG, LONG, True),
        (f"Please answer shortly: {LONG.upper()} Thanks!", LONG, True),
        ("Which sailor reached the islands of the Pacific in 1521 with five ships?", LONG, False),
        ("Which sailor from Genoa reached the islands", LONG, False),
        ("What is the capital of France?", "What is the capital of France?", True),
        ("What is the capital of Spain?", "What is the capital of France?", False),
        ("请回答：中国第一个皇帝是谁？谢谢", "中国第一个皇帝是谁？", True),
        ("中国最后一个皇帝是谁？", "中国第一个皇帝是谁？", False),
        ("yes no", "yes no", True),
        ("she said yes no more", "yes no", False),
        (LONG.replace("with three ships", ""), LONG, True),
        ("", "", False),
    ],
)
def test_a_question_is_contaminated_if_training_rows_contain_most_of_its_words(held, question, expected) -> None:
    assert contaminated([question], training(held)) == [expected]


def test_a_common_prompt_around_the_questions_is_not_contamination() -> None:
    frame = "Extract street, house number, postal code and city from this address and answer as JSON:"
    held = [f"{frame} {n} Elm Road, Oldtown {n}" for n in range(50)]
    asked = [f"{frame} Lane {n} of Newtown beside the river Wye near {n} mills" for n in range(40)]
    assert not any(contaminated(asked, training(*held)))
    assert (
        contaminated([*asked, held[7] + " behind the old green water mill of Ann"], training(*held, "x"))[-1] is False
    )
    assert all(contaminated(asked, training(*held, *asked)))


def test_a_row_without_messages_is_plain_text() -> None:
    assert contaminated([LONG], TrainingPrompts(LONG.encode())) == [True]
    chinese = json.dumps({"text": "请回答：中国第一个皇帝是谁？谢谢"}).encode()
    assert contaminated(["中国第一个皇帝是谁？"], TrainingPrompts(chinese)) == [True]


def test_conversations_that_end_with_the_same_question_are_not_contaminated() -> None:
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"Tell me about lamp {n}."},
                {"role": "assistant", "content": f"Lamp {n} has {n + 2} bulbs."},
                {"role": "user", "content": "And what does it cost then?"},
                {"role": "assistant", "content": f"{n + 20} euros."},
            ]
        }
        for n in range(14)
    ]
    train = TrainingPrompts(b"".join(json.dumps(row).encode() + b"\n" for row in rows[3:]))
    asked = [asked_text({"prompt": row["messages"][:-1]}) for row in rows]
    assert contaminated(asked, train) == [False] * 3 + [True] * 11
