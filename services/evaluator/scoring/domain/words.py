"""Words of a text: those of alphabets as written, and each Chinese, Japanese or Korean character."""

import re
from collections.abc import Sequence

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+")


def words(text: str) -> list[str]:
    """Words in lower case and single CJK characters, without punctuation and spaces."""
    return _TOKEN.findall(text.lower())


def mostly_chinese(texts: Sequence[str]) -> bool:
    """Whether more than half of the letters are Chinese."""
    letters = sum(character.isalpha() for text in texts for character in text)
    return sum(len(_HAN.findall(text)) for text in texts) * 2 > letters
