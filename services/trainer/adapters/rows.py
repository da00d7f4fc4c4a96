"""Chat rows as tokens, with labels on what the assistant says and on nothing else."""

import json
from collections.abc import Iterable
from typing import Any, TypedDict

from transformers import PreTrainedTokenizerBase

IGNORED = -100


class TokenRow(TypedDict):
    """One conversation: token ids, and the same ids as labels where the assistant speaks, `IGNORED` elsewhere."""

    input_ids: list[int]
    labels: list[int]


def token_rows(lines: bytes, tokenizer: PreTrainedTokenizerBase, max_length: int) -> list[TokenRow]:
    """The rows of a JSON Lines split; a row with no answer within `max_length` tokens is left out."""
    conversations = (json.loads(line)["messages"] for line in lines.splitlines() if line.strip())
    return list(_answered(token_row(messages, tokenizer, max_length) for messages in conversations))


def token_row(messages: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, max_length: int) -> TokenRow:
    """One conversation, cut at `max_length` tokens. Every assistant turn up to its end-of-turn token gets labels.

    A turn that the chat template writes differently in the middle of a conversation than at its end keeps only the
    labels of what it says in the middle, which is what the model will see.
    """
    ids = _render(messages, tokenizer, generate=False)
    labels = [IGNORED] * len(ids)
    for i, message in enumerate(messages):
        if message["role"] == "assistant":
            start = _common_prefix(ids, _render(messages[:i], tokenizer, generate=True))
            end = _common_prefix(ids, _render(messages[: i + 1], tokenizer, generate=False))
            end = _after_last(tokenizer.eos_token_id, ids, start, end)
            labels[start:end] = ids[start:end]
    return TokenRow(input_ids=ids[:max_length], labels=labels[:max_length])


def _answered(rows: Iterable[TokenRow]) -> Iterable[TokenRow]:
    # The first label predicts nothing that a loss can see, so it does not count.
    return (row for row in rows if any(label != IGNORED for label in row["labels"][1:]))


def _render(messages: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, generate: bool) -> list[int]:
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=generate)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def _common_prefix(left: list[int], right: list[int]) -> int:
    return next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))


def _after_last(token: int | None, ids: list[int], start: int, end: int) -> int:
    """Just behind the last `token` in `ids[start:end]`: templates add a line break there that nobody has to learn."""
    return next((i + 1 for i in range(end - 1, start - 1, -1) if ids[i] == token), end)
