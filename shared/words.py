"""Words of a text: those of alphabets as written, and each Chinese, Japanese or Korean character."""

import re

_CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+")


def words(text: str) -> list[str]:
    """Words in lower case and single CJK characters, without punctuation and spaces."""
    return _TOKEN.findall(text.lower())
