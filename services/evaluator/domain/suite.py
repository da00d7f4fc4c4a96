"""The questions of a test split, and what follows from them."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.events import Artifact

SPARE_TOKENS = 16
_PLAIN_TEXT = "plain texts hold no answers to compare: name a suite in the job's metadata"


class CannotBeScored(Exception):
    """An evaluation that no repetition can save: `code` is for programs, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Item:
    """One question: `prompt` is the conversation up to its last answer, which is the reference.

    With `choices`, the prompt is one text that each of them may follow, and the reference is the right one. `question`
    is what was asked without the prompt's own words around it; `subject` is empty where there is none.
    """

    prompt: tuple[dict[str, Any], ...]
    reference: str
    choices: tuple[str, ...] = ()
    subject: str = ""
    question: str = ""
    weighed: bool = False
    """Whether the reference's likelihood is asked for, and no answer."""
    timed: bool = False
    """Whether the answer's speed is asked for, whatever it says."""


def suite_name(test: Artifact) -> str:
    """The same name for the same questions."""
    return f"test-split@{test.sha256[:16]}"


def read_items(content: bytes) -> tuple[Item, ...]:
    """The items of JSON Lines of `{"messages": [...]}`; raises `CannotBeScored`."""
    items = tuple(_item(n, line) for n, line in enumerate(content.splitlines(), start=1) if line.strip())
    if not items:
        raise CannotBeScored("empty_test_split", "the test split holds no rows")
    return items


def answer_tokens(references: Sequence[str], most: int) -> int:
    """Room for the longest reference, in tokens, without asking a tokenizer; at most `most`.

    No usual tokenizer makes more than one token of a byte, and runs of letters take less than one for two.
    """
    return min(most, max(map(_tokens_at_most, references)) + SPARE_TOKENS)


def _tokens_at_most(text: str) -> int:
    letters = sum(character.isascii() and character.isalpha() for character in text)
    return math.ceil(letters / 2) + len(text.encode(errors="replace")) - letters


def _item(number: int, line: bytes) -> Item:
    try:
        row = json.loads(line)
        if "text" in row:
            raise CannotBeScored("plain_text", _PLAIN_TEXT)
        *prompt, answer = row["messages"]
        if answer["role"] != "assistant" or not prompt:
            raise ValueError("does not end with an answer of the assistant")
        return Item(tuple(prompt), str(answer["content"]))
    except (ValueError, KeyError, TypeError) as error:
        raise CannotBeScored("bad_test_split", f"line {number} of the test split is unusable: {error}") from None
