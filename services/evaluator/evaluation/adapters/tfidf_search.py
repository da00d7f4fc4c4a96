"""The training rows nearest to a text: cosine of TF-IDF vectors, by scikit-learn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.evaluator.evaluation.domain.training_row import NearestRow, NotExplained, TrainingRow, training_rows
from services.evaluator.scoring.ports import Files
from shared.artifacts import ArtifactError
from shared.events import Artifact
from shared.words import words

MIB = 2**20
MAX_TRAINING_MIB = 32
"""Vectors take several times as much memory as the rows."""


@dataclass
class TfidfSearch:
    """Keeps the last index in memory, because one usually looks at many answers of one checkpoint."""

    files: Files
    _digest: str = ""
    _index: "_Index | None" = None

    def nearest(self, train: Artifact, text: str, count: int) -> list[NearestRow]:
        """At most `count` rows that share words with the text, the most similar first; raises `NotExplained`."""
        if self._index is None or self._digest != train.sha256:
            # Free the old index first: each may be large.
            self._index = None
            self._index, self._digest = _Index(self._rows(train)), train.sha256
        return self._index.nearest(text, count)

    def _rows(self, train: Artifact) -> list[TrainingRow]:
        if train.bytes > MAX_TRAINING_MIB * MIB:
            size = f"{train.bytes / MIB:.0f} MiB"
            raise NotExplained(f"the training rows have {size}; at most {MAX_TRAINING_MIB} MiB can be searched")
        try:
            return training_rows(self.files.read(train))
        except ArtifactError as error:
            raise NotExplained(f"the training rows cannot be read: {error}") from None


class _Index:
    """The rows as vectors of length 1 over words and CJK characters, weighted by rarity."""

    def __init__(self, rows: Sequence[TrainingRow]) -> None:
        # Takes seconds to import and is rarely needed.
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._rows = [row for row in rows if words(row.text)]
        if not self._rows:
            raise NotExplained("the training rows have no words")
        self._vectorizer: Any = TfidfVectorizer(analyzer=words, sublinear_tf=True)
        self._vectors = self._vectorizer.fit_transform([row.text for row in self._rows])

    def nearest(self, text: str, count: int) -> list[NearestRow]:
        similarity = (self._vectors @ self._vectorizer.transform([text]).T).toarray().ravel()
        # Stable, so that the earlier of two equal rows comes first.
        best = (-similarity).argsort(kind="stable")[:count]
        return [self._rows[at].nearest(min(1.0, float(similarity[at]))) for at in best if similarity[at] > 0]
