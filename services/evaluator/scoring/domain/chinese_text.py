"""Whether texts are Chinese."""

import re
from collections.abc import Sequence

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def mostly_chinese(texts: Sequence[str]) -> bool:
    """Whether more than half of the letters are Chinese."""
    letters = sum(character.isalpha() for text in texts for character in text)
    return sum(len(_HAN.findall(text)) for text in texts) * 2 > letters
