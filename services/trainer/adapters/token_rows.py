"""Rows as tokens: in conversations only assistant turns have labels, in plain texts all tokens do."""

import json
from typing import Any, TypedDict

from transformers import PreTrainedTokenizerBase

IGNORED = -100
# Plain texts are cut into pieces of the usual length of rows.
_PIECE_TOKENS = 1024


class EmptySplit(Exception):
    """No row of the training split has an answer."""


class RowsTooLong(Exception):
    """Rows have more tokens than the plan allows; the message names the first."""


class ToolsNotRendered(Exception):
    """A row calls tools, and the base model's chat template does not show calls."""


class TokenRow(TypedDict):
    """Token ids of a conversation or of a piece of text; `labels` are the ids to learn, elsewhere `IGNORED`."""

    input_ids: list[int]
    labels: list[int]


def token_rows(lines: bytes, tokenizer: PreTrainedTokenizerBase, max_length: int) -> list[TokenRow]:
    """The rows of a JSON Lines split. Conversations without an answer are skipped; a text may become several rows.

    Raises `RowsTooLong` for conversations of more than `max_length` tokens: truncated ones would teach half an answer.
    """
    rows = [json.loads(line) for line in lines.split(b"\n") if line.strip()]
    made = [(row, one) for row in rows for one in _tokenized(row, tokenizer, max_length)]
    if long := [(row, size) for row, one in made if (size := len(one["input_ids"])) > max_length]:
        first, size = long[0]
        question = str(next(message["content"] for message in first["messages"] if message["role"] == "user"))
        raise RowsTooLong(
            f"{len(long)} rows have more than {max_length} tokens; the first has {size} and begins with "
            f"{question[:80]!r}"
        )
    return [one for _, one in made]


def text_rows(text: str, tokenizer: PreTrainedTokenizerBase, max_length: int) -> list[TokenRow]:
    """A text in pieces of at most `max_length` tokens; all tokens except the first of each piece are learned."""
    ids = [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    # A piece of one token has nothing to learn.
    pieces = [ids[at : at + max_length] for at in range(0, len(ids) - 1, max_length)]
    return [TokenRow(input_ids=piece, labels=list(piece)) for piece in pieces if len(piece) > 1]


def token_row(
    messages: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, tools: list[Any] | None = None
) -> TokenRow:
    """One conversation. Assistant turns have labels up to their end-of-turn token; those of weight 0 have none.

    Some chat templates render a turn differently in the middle of a conversation and at its end. Labels cover only
    what both renderings share. Raises `ToolsNotRendered` where the template leaves out calls of tools.
    """
    rendered = _for_template(messages, tokenizer, tools)
    ids = _render(rendered, tokenizer, tools, generate=False)
    labels = [IGNORED] * len(ids)
    for i, message in enumerate(messages):
        if message["role"] == "assistant" and message.get("weight", 1):
            start = _common_prefix(ids, _render(rendered[:i], tokenizer, tools, generate=True))
            end = _common_prefix(ids, _render(rendered[: i + 1], tokenizer, tools, generate=False))
            end = _after_last(tokenizer.eos_token_id, ids, start, end)
            labels[start:end] = ids[start:end]
    return TokenRow(input_ids=ids, labels=labels)


def _tokenized(row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, max_length: int) -> list[TokenRow]:
    if "text" in row:
        return text_rows(row["text"], tokenizer, min(max_length, _PIECE_TOKENS))
    made = token_row(row["messages"], tokenizer, row.get("tools"))
    # The first token is never predicted, so its label does not count.
    return [made] if any(label != IGNORED for label in made["labels"][1:]) else []


def _for_template(
    messages: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, tools: list[Any] | None
) -> list[dict[str, Any]]:
    """The messages as chat templates want them: without weights, the arguments of calls as objects."""
    called = {call["function"]["name"] for message in messages for call in message.get("tool_calls", ())}
    made = [{key: value for key, value in message.items() if key != "weight"} for message in messages]
    for message in made:
        if calls := message.get("tool_calls"):
            message["tool_calls"] = [{**call, "function": _parsed(call["function"])} for call in calls]
    if called:
        # Without the tools' definitions, in which the names stand too.
        text = str(tokenizer.apply_chat_template(made, tokenize=False))
        if hidden := sorted(name for name in called if name not in text):
            raise ToolsNotRendered(
                f"the base model's chat template does not show calls of tools, such as {hidden[0]!r}"
            )
    return made


def _parsed(function: dict[str, Any]) -> dict[str, Any]:
    return {**function, "arguments": json.loads(function["arguments"])}


def _render(
    messages: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, tools: list[Any] | None, generate: bool
) -> list[int]:
    text = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, add_generation_prompt=generate)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def _common_prefix(left: list[int], right: list[int]) -> int:
    return next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))


def _after_last(token: int | None, ids: list[int], start: int, end: int) -> int:
    """The index after the last `token` in `ids[start:end]`: leaves out the line break that templates add there."""
    return next((i + 1 for i in range(end - 1, start - 1, -1) if ids[i] == token), end)
