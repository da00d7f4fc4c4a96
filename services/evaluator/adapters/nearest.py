"""The training rows nearest to a text: cosine of TF-IDF vectors, by scikit-learn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.evaluator.domain.nearness import Near, NotExplained, TrainingRow, training_rows
from services.evaluator.domain.text import words
from services.evaluator.ports import Files
from shared.artifacts import ArtifactError
from shared.events import Artifact

MIB = 2**20
MOST_MIB = 32
"""Of training rows: as vectors they take several times as much memory."""


@dataclass
class NearestByWords:
    """Searches training rows, one search at a time; the last ones stay in memory, since one looks at many answers."""

    files: Files
    _digest: str = ""
    _index: "_Index | None" = None

    def nearest(self, train: Artifact, text: str, count: int) -> list[Near]:
        """At most `count` rows that share words with the text, the likest first; raises `NotExplained`."""
        if self._index is None or self._digest != train.sha256:
            # Gone before the next is made: either may be large.
            self._index = None
            self._index, self._digest = _Index(self._rows(train)), train.sha256
        return self._index.nearest(text, count)

    def _rows(self, train: Artifact) -> list[TrainingRow]:
        if train.bytes > MOST_MIB * MIB:
            raise NotExplained(f"{train.bytes / MIB:.0f} MiB of training rows; at most {MOST_MIB} MiB are searched")
        try:
            return training_rows(self.files.read(train))
        except ArtifactError as error:
            raise NotExplained(f"what it was trained on cannot be read: {error}") from None


class _Index:
    """The rows as vectors of length 1: words and CJK characters, the rarer the heavier."""

    def __init__(self, rows: Sequence[TrainingRow]) -> None:
        # Takes seconds to import, and few ask for it.
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._rows = [row for row in rows if words(row.text)]
        if not self._rows:
            raise NotExplained("the training rows hold no words")
        self._vectorizer: Any = TfidfVectorizer(analyzer=words, sublinear_tf=True)
        self._vectors = self._vectorizer.fit_transform([row.text for row in self._rows])

    def nearest(self, text: str, count: int) -> list[Near]:
        likeness = (self._vectors @ self._vectorizer.transform([text]).T).toarray().ravel()
        # Stable, so that of equals the earlier row comes first.
        best = (-likeness).argsort(kind="stable")[:count]
        return [self._rows[at].near(min(1.0, float(likeness[at]))) for at in best if likeness[at] > 0]
