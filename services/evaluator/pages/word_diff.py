"""What an answer adds to the reference and what it lacks: by words, by characters in Chinese."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

from rapidfuzz.distance import LCSseq

MOST_WORDS = 1500
"""Of both texts together: the comparison takes time in proportion to the product of their lengths."""
LEAST_COMMON = 0.2
"""The share of the shorter text's words that must occur in both texts, in the same order, for differences to be marked.

Below it nearly every word would be marked. Unrelated texts share up to a sixth: short words such as "the" and "you".
"""
_CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"(?:[{_CJK}]|[^\W{_CJK}]+|[^\w\s])\s*|\s+")
"""A word, a sign or a punctuation mark, with the space after it, so that a space does not part two changed words."""


class Part(NamedTuple):
    """A piece of text: in both texts, only in the answer (`ins`) or only in the reference (`del`)."""

    kind: Literal["same", "ins", "del"]
    text: str


class WordDiff(NamedTuple):
    """An answer in parts. `is_unlike` says that it shares almost nothing with the reference."""

    parts: Sequence[Part]
    is_unlike: bool


def word_diff(reference: str, answer: str) -> WordDiff | None:
    """The answer against the reference; None if the texts are too long to compare."""
    wanted, said = _WORD.findall(reference), _WORD.findall(answer)
    if len(wanted) + len(said) > MOST_WORDS:
        return None
    return WordDiff(list(_parts(wanted, said)), _common(wanted, said) < LEAST_COMMON)


def _common(wanted: list[str], said: list[str]) -> float:
    """The share of the shorter text's words in both; punctuation and case do not count. 1 if a text has no words."""
    texts = [[word.strip().casefold() for word in words if re.match(r"\w", word)] for words in (wanted, said)]
    shorter = min(map(len, texts))
    return LCSseq.similarity(*texts) / shorter if shorter else 1.0


def _parts(wanted: list[str], said: list[str]) -> Iterator[Part]:
    stripped = [word.strip() for word in wanted], [word.strip() for word in said]
    for operation, a, b, c, d in SequenceMatcher(None, *stripped, autojunk=False).get_opcodes():
        if operation == "equal":
            yield Part("same", "".join(said[c:d]))
            continue
        if a < b:
            yield Part("del", "".join(wanted[a:b]))
        if c < d:
            yield Part("ins", "".join(said[c:d]))
