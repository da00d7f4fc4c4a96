"""Sentences that services wrote in English, such as the reasons of a verdict, in the language of a page's reader.

Verdicts, plans and events hold finished English sentences: so do the API and the log. `sentences_zh.toml` has each as a
pattern, in which figures and names are left open. A placeholder that ends with `_words` is a sentence again, one that
ends with `_name` or `_text` stays as it is, and all others are figures. Sentences may be joined by `, ` and `; `.
"""

import re
import tomllib
from functools import cache, lru_cache
from pathlib import Path

from markupsafe import Markup, escape

from shared.pages.catalogs import Language

CATALOG = Path(__file__).parent / "translations" / "sentences_zh.toml"
_JOINTS = (("; ", "；"), (", ", "，"))
_FIGURE = r"[\d.,+−-]+(?:e[+−-]?\d+)?"
_PLACEHOLDER = re.compile(r"\\{(\w+)\\}")


def sentence(text: str, language: Language) -> Markup:
    """The text for a page of this language; one that has no pattern is marked as English."""
    if language == "en":
        return escape(text)
    translated = in_chinese(text)
    return Markup('<span lang="en">{}</span>').format(text) if translated is None else escape(translated)


@lru_cache(maxsize=4096)
def in_chinese(text: str) -> str | None:
    """The text in Chinese; None where a part of it has no pattern."""
    whole = _by_pattern(text)
    if whole is not None:
        return whole
    for english, chinese in _JOINTS:
        place = text.find(english)
        while place >= 0:
            begun, rest = _by_pattern(text[:place]), text[place + len(english) :]
            if begun is not None and (ended := in_chinese(rest)) is not None:
                return f"{begun}{chinese}{ended}"
            place = text.find(english, place + 1)
    return None


def _by_pattern(text: str) -> str | None:
    for pattern, words in _patterns():
        if found := pattern.fullmatch(text):
            values = {name: _value(name, value) for name, value in found.groupdict().items()}
            if None not in values.values():
                return words.format(**values)
    return None


def _value(name: str, value: str) -> str | None:
    return in_chinese(value) if name.endswith("_words") else value


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(_expression(english)), chinese) for english, chinese in catalog().items()]


def catalog() -> dict[str, str]:
    """Each pattern with its Chinese words; of two that fit, the first counts."""
    read = tomllib.loads(CATALOG.read_text(encoding="utf-8"))
    return {english: chinese for part in read.values() for english, chinese in part.items()}


def _expression(english: str) -> str:
    return _PLACEHOLDER.sub(lambda found: f"(?P<{found[1]}>{_open(found[1])})", re.escape(english))


def _open(name: str) -> str:
    return ".+?" if name.endswith(("_words", "_name", "_text")) else _FIGURE
