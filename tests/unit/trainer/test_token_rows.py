"""Labels cover assistant turns up to their end token, or all of a plain text."""

import json

import pytest

from services.trainer.adapters.token_rows import (
    IGNORED,
    RowsTooLong,
    ToolsNotRendered,
    text_rows,
    token_row,
    token_rows,
)
from tests.unit.trainer import tiny_model

pytestmark = pytest.mark.model

TURNS = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "1"},
    {"role": "user", "content": "two"},
    {"role": "assistant", "content": "2 and more"},
]


def learned(row: dict, tokenizer) -> str:
    return tokenizer.decode([label for label in row["labels"] if label != IGNORED])


def test_all_assistant_turns_are_learned_up_to_their_end_token() -> None:
    tokenizer = tiny_model.tokenizer()
    row = token_row(TURNS, tokenizer)
    assert learned(row, tokenizer) == "1<|im_end|>2 and more<|im_end|>"
    assert tokenizer.decode(row["input_ids"]) == tokenizer.apply_chat_template(TURNS, tokenize=False)
    assert all(label in (IGNORED, token) for token, label in zip(row["input_ids"], row["labels"], strict=True))


def test_labels_cover_only_what_the_template_keeps_in_history() -> None:
    tokenizer = tiny_model.tokenizer()
    # Like templates of reasoning models, which shorten earlier answers.
    tokenizer.chat_template = tiny_model.TEMPLATE.replace(
        "{{ m.content }}", "{{ m.content if loop.last or m.role != 'assistant' else m.content[:1] }}"
    )
    turns = [*TURNS[:2], {"role": "assistant", "content": "1 at length"}, *TURNS[3:]]
    row = token_row(turns, tokenizer)
    assert learned(row, tokenizer).endswith("2 and more<|im_end|>")
    assert "length" not in tokenizer.decode(row["input_ids"])


def test_rows_that_are_too_long_are_refused_and_not_truncated() -> None:
    tokenizer = tiny_model.tokenizer()
    lines = b"\n".join(json.dumps({"messages": turns}).encode() for turns in (TURNS[:3], TURNS, TURNS[:2]))
    first, second = (len(row["input_ids"]) for row in token_rows(lines, tokenizer, 1000))
    assert len(token_rows(lines, tokenizer, second)) == 2
    with pytest.raises(
        RowsTooLong, match=f"1 rows have more than {first} tokens; the first has {second} and begins with 'one'"
    ):
        token_rows(lines, tokenizer, first)


def test_a_plain_text_is_learned_with_its_end_token_and_split_if_it_is_long() -> None:
    tokenizer = tiny_model.tokenizer()
    [whole] = token_rows(json.dumps({"text": "one two\u2028three"}).encode(), tokenizer, 1000)
    assert tokenizer.decode(whole["input_ids"]) == "one two\u2028three" + tokenizer.eos_token
    assert whole["labels"] == whole["input_ids"]
    pieces = text_rows("one two\u2028three", tokenizer, 5)
    # A piece of one token (here the end token) is left out.
    assert [token for piece in pieces for token in piece["input_ids"]] == whole["input_ids"][:-1]
    assert {len(piece["input_ids"]) for piece in pieces[:-1]} == {5}


def test_an_answer_of_weight_0_is_read_and_not_learned() -> None:
    tokenizer = tiny_model.tokenizer()
    turns = [*TURNS[:2], {**TURNS[2], "weight": 0}, *TURNS[3:]]
    row = token_row(turns, tokenizer)
    assert learned(row, tokenizer) == "2 and more<|im_end|>"
    assert row["input_ids"] == token_row(TURNS, tokenizer)["input_ids"]


def test_calls_of_tools_are_rendered_by_the_chat_template_or_refused() -> None:
    tokenizer = tiny_model.tokenizer()
    call = {"id": "c1", "type": "function", "function": {"name": "book", "arguments": '{"table": 4}'}}
    turns = [TURNS[1], {"role": "assistant", "content": "", "tool_calls": [call]}]
    with pytest.raises(ToolsNotRendered, match="'book'"):
        token_row(turns, tokenizer)
    calls = "{% for c in m.tool_calls or [] %}{{ c.function.name }}={{ c.function.arguments | tojson }}{% endfor %}"
    tokenizer.chat_template = tiny_model.TEMPLATE.replace("{{ m.content }}", "{{ m.content }}" + calls)
    assert learned(token_row(turns, tokenizer), tokenizer) == 'book={"table": 4}<|im_end|>'
