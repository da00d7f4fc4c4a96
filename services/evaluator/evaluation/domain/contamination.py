"""Contamination: questions that the training rows contain, by shared n-grams of words.

A question is contaminated if four fifths of its words lie in 8-grams that training rows contain too (like Touvron et
al. 2023, appendix A.6, with shorter n-grams for shorter questions). N-grams that many questions of a task share belong
to the prompt around them, which training rows may contain, and do not count. Of a conversation the whole prompt is
judged, because many conversations end with the same question.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.evaluator.scoring.domain.words import words

NGRAM_WORDS = 8
MIN_WORDS = 4
CONTAMINATED_SHARE = 0.8
COMMON_SHARE = 0.05
Ngram = tuple[str, ...]


class TrainingNgrams:
    """The n-grams of all training rows."""

    def __init__(self, rows: bytes) -> None:
        self._texts = [words(_row_text(line)) for line in rows.split(b"\n") if line.strip()]
        self._ngrams: dict[int, set[Ngram]] = {}

    def __contains__(self, ngram: Ngram) -> bool:
        size = len(ngram)
        if size not in self._ngrams:
            self._ngrams[size] = {found for text in self._texts for found in _ngrams(text, size)}
        return ngram in self._ngrams[size]


def asked_text(row: Mapping[str, Any]) -> str:
    """The text of a line of answers to look for: its question, or the whole conversation if there is none."""
    return str(row.get("question") or "") or conversation_text(row["prompt"])


def contaminated(questions: Sequence[str], training: TrainingNgrams) -> list[bool]:
    """Whether the training rows contain each question; one shorter than `MIN_WORDS` never counts."""
    texts = [words(question) for question in questions]
    occurrences = Counter(ngram for text in texts for ngram in set(_ngrams(text, _size(text))))
    # Two questions may be near duplicates of each other; the prompt around them occurs in many.
    limit = max(3, COMMON_SHARE * len(texts))
    common = {ngram for ngram, count in occurrences.items() if count > limit}
    return [_contaminated(text, training, common) for text in texts]


def conversation_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """All messages except the system's."""
    return "\n".join(str(each.get("content") or "") for each in messages if each.get("role") != "system")


def _contaminated(text: Sequence[str], training: TrainingNgrams, common: set[Ngram]) -> bool:
    size = _size(text)
    ngrams = [(at, ngram) for at, ngram in enumerate(_ngrams(text, size)) if ngram not in common]
    if len(text) < MIN_WORDS or not ngrams:
        return False
    own = {place for at, _ngram in ngrams for place in range(at, at + size)}
    found = {place for at, ngram in ngrams if ngram in training for place in range(at, at + size)}
    return len(found) >= CONTAMINATED_SHARE * len(own)


def _size(text: Sequence[str]) -> int:
    return min(NGRAM_WORDS, len(text))


def _ngrams(text: Sequence[str], size: int) -> Iterable[Ngram]:
    return (tuple(text[at : at + size]) for at in range(len(text) - size + 1))


def _row_text(line: bytes) -> str:
    try:
        return conversation_text(json.loads(line)["messages"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return line.decode(errors="replace")
