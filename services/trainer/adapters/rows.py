"""Rows as tokens: of conversations only what the assistant says has labels, of plain texts everything."""

import json
from typing import Any, TypedDict

from transformers import PreTrainedTokenizerBase

IGNORED = -100
# A text has no place where it should be cut: pieces of the usual length of rows.
_PIECE_TOKENS = 1024


class EmptySplit(Exception):
    """No row of the training split has an answer."""


class RowsTooLong(Exception):
    """Rows have more tokens than the run may read; the message says which."""


class TokenRow(TypedDict):
    """A conversation or a piece of text: token ids, and the same ids as labels where it is learned, else `IGNORED`."""

    input_ids: list[int]
    labels: list[int]


def token_rows(lines: bytes, tokenizer: PreTrainedTokenizerBase, max_length: int) -> list[TokenRow]:
    """The rows of a JSON Lines split; a conversation without an answer is left out, a text may be several rows.

    Raises `RowsTooLong` for conversations of more than `max_length` tokens: cut, they would teach half an answer.
    """
    rows = [json.loads(line) for line in lines.split(b"\n") if line.strip()]
    made = [(row, one) for row in rows for one in _made_of(row, tokenizer, max_length)]
    if long := [(row, size) for row, one in made if (size := len(one["input_ids"])) > max_length]:
        first, size = long[0]
        question = str(next(message["content"] for message in first["messages"] if message["role"] == "user"))
        raise RowsTooLong(
            f"{len(long)} rows have more than {max_length} tokens, the first of them {size}: it begins with "
            f"{question[:80]!r}"
        )
    return [one for _, one in made]


def text_rows(text: str, tokenizer: PreTrainedTokenizerBase, max_length: int) -> list[TokenRow]:
    """A text with its end, in pieces of at most `max_length` tokens; every token is learned but each piece's first."""
    ids = [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    # A piece of one token would teach nothing.
    pieces = [ids[at : at + max_length] for at in range(0, len(ids) - 1, max_length)]
    return [TokenRow(input_ids=piece, labels=list(piece)) for piece in pieces if len(piece) > 1]


def token_row(messages: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase) -> TokenRow:
    """One conversation. Every assistant turn up to its end-of-turn token gets labels.

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
    return TokenRow(input_ids=ids, labels=labels)


def _made_of(row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, max_length: int) -> list[TokenRow]:
    if "text" in row:
        return text_rows(row["text"], tokenizer, min(max_length, _PIECE_TOKENS))
    made = token_row(row["messages"], tokenizer)
    # The first label predicts nothing that a loss can see, so it does not count.
    return [made] if any(label != IGNORED for label in made["labels"][1:]) else []


def _render(messages: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, generate: bool) -> list[int]:
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=generate)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def _common_prefix(left: list[int], right: list[int]) -> int:
    return next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))


def _after_last(token: int | None, ids: list[int], start: int, end: int) -> int:
    """Just behind the last `token` in `ids[start:end]`: templates add a line break there that nobody has to learn."""
    return next((i + 1 for i in range(end - 1, start - 1, -1) if ids[i] == token), end)
