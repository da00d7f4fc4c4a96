"""Contamination: questions of a test that training rows contain.

A question is found in a row in two ways. Its whole prompt is a near duplicate of the row's (`near_duplicates`). Or the
row contains it among other text: four fifths of its words lie in 8-grams of the row (like Touvron et al. 2023, appendix
A.6, with shorter n-grams for shorter questions). N-grams that many questions share belong to the prompt around them,
which training rows may contain, and do not count. Prompts are compared as a whole, because many conversations end with
the same question.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.near_duplicates import Hashes, NearTexts
from shared.words import words

NGRAM_WORDS = 8
MIN_WORDS = 4
CONTAMINATED_SHARE = 0.8
COMMON_SHARE = 0.05
Ngram = tuple[str, ...]


@dataclass(frozen=True)
class Twin:
    """A question and a training row that contains it, both by number; `similarity` is from 0 to 1."""

    question: int
    row: int
    similarity: float


class QuestionIndex:
    """Questions that training rows are compared with. Questions of fewer than `MIN_WORDS` words count only if equal."""

    def __init__(self, questions: Sequence[str]) -> None:
        self._near = NearTexts(questions)
        self._contained = _ContainedQuestions(questions)

    def find(self, prompts: Sequence[str], answers: Sequence[str], keys: Hashes | None = None) -> Iterator[Twin]:
        """The questions in these rows; `keys` are the band keys of the normalized prompts, if they are known."""
        found: dict[tuple[int, int], float] = {}
        for row, question, similarity in self._near.find(prompts, keys):
            if self._near.texts[question]:
                found[question, row] = similarity
        for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
            for question, share in self._contained.find(words(f"{prompt}\n{answer}")):
                found.setdefault((question, row), share)
        return (Twin(question, row, similarity) for (question, row), similarity in found.items())


class _ContainedQuestions:
    """Finds questions among the words of longer texts."""

    def __init__(self, questions: Sequence[str]) -> None:
        self._texts = [words(question) for question in questions]
        occurrences = Counter(ngram for text in self._texts for ngram in set(_ngrams(text, _size(text))))
        # Two questions may be near duplicates of each other; the prompt around them occurs in many.
        limit = max(3, COMMON_SHARE * len(self._texts))
        self._common = {ngram for ngram, count in occurrences.items() if count > limit}
        self._of_ngram: dict[Ngram, list[int]] = {}
        self._starts: set[Ngram] = set()
        for number, text in enumerate(self._texts):
            if len(text) >= MIN_WORDS:
                self._add(number, text)
        self._sizes = {len(ngram) for ngram in self._of_ngram}

    def find(self, text: Sequence[str]) -> Iterator[tuple[int, float]]:
        """The questions that a text contains, each with the share of its words that were found."""
        # Most rows contain no question: this costs far less than looking for n-grams of each length.
        if self._starts.isdisjoint(zip(*(text[at:] for at in range(MIN_WORDS)), strict=False)):
            return
        ngrams = {ngram for size in self._sizes for ngram in _ngrams(text, size)}
        for number in {number for ngram in ngrams for number in self._of_ngram.get(ngram, ())}:
            share = self._share(self._texts[number], ngrams)
            if share >= CONTAMINATED_SHARE:
                yield number, share

    def _add(self, number: int, text: Sequence[str]) -> None:
        for ngram in set(_ngrams(text, _size(text))) - self._common:
            self._of_ngram.setdefault(ngram, []).append(number)
            self._starts.add(ngram[:MIN_WORDS])

    def _share(self, text: Sequence[str], found: set[Ngram]) -> float:
        """The share of a question's own words that lie in n-grams that were found."""
        size = _size(text)
        own = [(at, ngram) for at, ngram in enumerate(_ngrams(text, size)) if ngram not in self._common]
        places = {place for at, _ngram in own for place in range(at, at + size)}
        covered = {place for at, ngram in own if ngram in found for place in range(at, at + size)}
        return len(covered) / len(places)


def _size(text: Sequence[str]) -> int:
    return min(NGRAM_WORDS, len(text))


def _ngrams(text: Sequence[str], size: int) -> Iterator[Ngram]:
    return (tuple(text[at : at + size]) for at in range(len(text) - size + 1))
