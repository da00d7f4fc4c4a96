"""One question with its reference, and the questions of a test split."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.events import Artifact

SPARE_TOKENS = 16
_PLAIN_TEXT = "rows of plain text have no answers to compare: name a suite in the job's metadata"


class CannotBeScored(Exception):
    """A permanent failure to score. `code` is for programs, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Item:
    """One question: `prompt` is the conversation up to the last answer, which is the reference.

    With `choices`, the prompt is one text that each choice may follow, and the reference is the right choice.
    `question` is the part of the prompt that asks; `subject` is empty if there is none.
    """

    prompt: tuple[dict[str, Any], ...]
    reference: str
    choices: tuple[str, ...] = ()
    subject: str = ""
    question: str = ""
    likelihood_only: bool = False
    """Measures the likelihood of the reference; the model writes no answer."""
    timed: bool = False
    """Measures the speed of an answer of fixed length."""
    pair: str = ""
    """The question, where it is asked once for each group; the subject is the group."""


def is_empty(reference: Any) -> bool:
    """Whether a reference says nothing; tables write an empty cell as NaN, too."""
    return reference is None or str(reference).strip().lower() in ("", "nan")


def split_name(split: str, questions: Artifact) -> str:
    """The name of a validation or test split in `EvalDone.suite`; the same for the same questions."""
    return f"{split}-split@{questions.sha256[:16]}"


def read_items(content: bytes) -> tuple[Item, ...]:
    """The items of JSON Lines of `{"messages": [...]}` or `{"question", "answer"}`; raises `CannotBeScored`."""
    items = tuple(_item(n, line) for n, line in enumerate(content.split(b"\n"), start=1) if line.strip())
    if not items:
        raise CannotBeScored("empty_test_split", "the test split has no rows")
    return items


def answer_tokens(references: Sequence[str], most: int) -> int:
    """Enough tokens for the longest reference without a tokenizer, at most `most`.

    No usual tokenizer makes more than one token of a byte, and runs of letters take less than one for two letters.
    """
    return min(most, max(map(_max_tokens, references)) + SPARE_TOKENS)


def _max_tokens(text: str) -> int:
    letters = sum(character.isascii() and character.isalpha() for character in text)
    return math.ceil(letters / 2) + len(text.encode(errors="replace")) - letters


def _item(number: int, line: bytes) -> Item:
    try:
        row = json.loads(line)
        if "text" in row:
            raise CannotBeScored("plain_text", _PLAIN_TEXT)
        if "messages" not in row and "question" in row:
            question = str(row["question"])
            if is_empty(row["answer"]):
                raise CannotBeScored("bad_row", f"line {number}: the answer is empty or NaN")
            return Item(({"role": "user", "content": question},), str(row["answer"]), question=question)
        *prompt, answer = row["messages"]
        if answer["role"] != "assistant" or not prompt:
            raise ValueError("does not end with an answer of the assistant")
        return Item(tuple(prompt), str(answer["content"]))
    except (ValueError, KeyError, TypeError) as error:
        raise CannotBeScored("bad_test_split", f"line {number} of the test split is unusable: {error}") from None
