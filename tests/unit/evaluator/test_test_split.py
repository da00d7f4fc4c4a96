"""Items of a test split, and lines of answers and samples."""

import json

import pytest

from services.evaluator.scoring.domain.answer import Answer, answer_lines, read_lines, sample_lines
from services.evaluator.scoring.domain.item import CannotBeScored, answer_tokens, read_items, split_name
from services.evaluator.scoring.domain.target import Target
from shared.events import Artifact

TEST = Artifact(uri="file:///t", sha256="ab" * 32, bytes=1)
ADAPTER = Artifact(uri="file:///a", sha256="cd" * 32, bytes=1)


def conversation(*texts: str) -> bytes:
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]
    return json.dumps({"messages": messages}, ensure_ascii=False).encode() + b"\n"


def test_the_last_answer_is_the_reference_and_not_part_of_the_prompt() -> None:
    [item] = read_items(conversation("one", "two", "three", "four"))
    assert item.reference == "four"
    assert [message["content"] for message in item.prompt] == ["one", "two", "three"]


@pytest.mark.parametrize("content", [b"", b"\n", b"{oops", b"[]", conversation("only a question"), b'{"messages": []}'])
def test_a_test_split_without_questions_cannot_be_scored(content) -> None:
    with pytest.raises(CannotBeScored):
        read_items(content)


def test_max_tokens_fit_the_longest_reference_in_any_alphabet_up_to_the_limit() -> None:
    assert answer_tokens(["ab", "abcd"], 1000) == 2 + 16
    assert answer_tokens(["北京"], 1000) == 6 + 16
    assert answer_tokens(['{"a":1}'], 1000) == 7 + 16
    assert answer_tokens(["x" * 10_000], 1000) == 1000


def test_a_targets_key_depends_on_weights_and_questions_only() -> None:
    checkpoint = Target(base_model="m", test=TEST, adapter=ADAPTER, version="v-cd")
    assert checkpoint.base == Target(base_model="m", test=TEST)
    assert checkpoint.key != checkpoint.base.key
    assert checkpoint.base.key == f"m/{TEST.sha256}"
    assert checkpoint.key != checkpoint.model_copy(update={"protocol": "metrics-3"}).key
    assert checkpoint.model_copy(update={"protocol": "p"}).base.protocol == "p"
    assert (checkpoint.adapter_name, checkpoint.base.adapter_name) == ("eval-v-cd", None)
    assert split_name("test", TEST) == "test-split@abababababababab"


def test_samples_have_reference_answers_and_errors() -> None:
    items = read_items(conversation("q1", "r1") + conversation("q2", "r2"))
    scores = {"exact_match": (1.0, 0.0), "json_fields": (None, 0.5)}
    mine = answer_lines(items, [Answer("r1"), Answer("", error="400 too long")], scores)
    base = answer_lines(items, [Answer("\ud800"), Answer("b2")], {"exact_match": (0.0, 0.0)})
    first, second = read_lines(sample_lines(mine, base))
    assert first == {
        "prompt": [{"role": "user", "content": "q1"}],
        "reference": "r1",
        "answer": "r1",
        "scores": {"exact_match": 1.0},
        "base_answer": "\ud800",
        "base_scores": {"exact_match": 0.0},
    }
    assert (second["answer"], second["error"], second["base_answer"]) == ("", "400 too long", "b2")
    assert second["scores"] == {"exact_match": 0.0, "json_fields": 0.5}
