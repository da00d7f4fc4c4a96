"""What an answer has more and what it lacks, against the reference: by words, by signs in Chinese."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

MOST_WORDS = 1500
"""Of both texts together: the comparison takes time in proportion to the product of their lengths."""
_CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"(?:[{_CJK}]|[^\W{_CJK}]+|[^\w\s])\s*|\s+")
"""A word, a sign or a punctuation mark, with the space after it, so that a space does not part two changed words."""


class Part(NamedTuple):
    """A piece of text: in both texts, only in the answer (`ins`) or only in the reference (`del`)."""

    kind: Literal["same", "ins", "del"]
    text: str


def word_diff(reference: str, answer: str) -> list[Part] | None:
    """The answer in parts; None if the texts are too long to compare."""
    wanted, said = _WORD.findall(reference), _WORD.findall(answer)
    if len(wanted) + len(said) > MOST_WORDS:
        return None
    return list(_parts(wanted, said))


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
