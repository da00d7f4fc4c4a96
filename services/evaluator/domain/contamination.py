"""Whether a model was trained on the questions that it is asked: shared runs of words.

A question counts as seen when four fifths of its words lie in runs of eight that the training rows hold too (as Touvron
et al. 2023, appendix A.6, with shorter runs for shorter questions). Runs that many questions of a task share are the
prompt's own words, which training rows rightly have, and are left out.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence

from services.evaluator.domain.text import words

RUN = 8
SHORTEST = 4
SEEN_FROM = 0.8
COMMON_FROM = 0.05
Run = tuple[str, ...]


class Training:
    """The runs of words of all training rows."""

    def __init__(self, rows: bytes) -> None:
        self._texts = [words(text) for line in rows.splitlines() if line.strip() for text in _said(line)]
        self._runs: dict[int, set[Run]] = {}

    def holds(self, run: Run) -> bool:
        size = len(run)
        if size not in self._runs:
            self._runs[size] = {found for text in self._texts for found in _runs(text, size)}
        return run in self._runs[size]


def seen(questions: Sequence[str], training: Training) -> list[bool]:
    """For each question whether training held it. One of fewer than four words never is: chance holds it."""
    cut = [words(question) for question in questions]
    how_often = Counter(run for text in cut for run in set(_runs(text, _size(text))))
    # Two questions may well be near duplicates of each other; a prompt's frame comes again and again.
    limit = max(3, COMMON_FROM * len(cut))
    common = {run for run, count in how_often.items() if count > limit}
    return [_seen(text, training, common) for text in cut]


def _seen(text: Sequence[str], training: Training, common: set[Run]) -> bool:
    size = _size(text)
    runs = [(at, run) for at, run in enumerate(_runs(text, size)) if run not in common]
    if len(text) < SHORTEST or not runs:
        return False
    own = {place for at, _run in runs for place in range(at, at + size)}
    found = {place for at, run in runs if training.holds(run) for place in range(at, at + size)}
    return len(found) >= SEEN_FROM * len(own)


def _size(text: Sequence[str]) -> int:
    return min(RUN, len(text))


def _runs(text: Sequence[str], size: int) -> Iterable[Run]:
    return (tuple(text[at : at + size]) for at in range(len(text) - size + 1))


def _said(line: bytes) -> list[str]:
    """The texts of one row of messages; a question in one message may stand among other words."""
    try:
        return [str(message["content"]) for message in json.loads(line)["messages"]]
    except (ValueError, KeyError, TypeError):
        return [line.decode(errors="replace")]
