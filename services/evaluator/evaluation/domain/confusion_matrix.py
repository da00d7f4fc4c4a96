"""The confusion matrix of labels."""

from collections import Counter
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

OTHER_ANSWER = "(another answer)"
MAX_LABELS = 100


class NotLabels(Exception):
    """There are too many different references for them to be labels."""


class ConfusionMatrix(BaseModel):
    """A row per reference label, a column per answered label; the last column counts all other answers."""

    model_config = ConfigDict(frozen=True)

    labels: tuple[str, ...]
    answers: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


def confusion_matrix(answers: Sequence[str], references: Sequence[str]) -> ConfusionMatrix:
    """Ignores the space around labels. Raises `NotLabels`."""
    expected = [text.strip() for text in references]
    labels = tuple(sorted(set(expected)))
    if len(labels) > MAX_LABELS:
        raise NotLabels(f"there are {len(labels)} different references; a confusion matrix has at most {MAX_LABELS}")
    answered = [text.strip() if text.strip() in labels else OTHER_ANSWER for text in answers]
    counts = Counter(zip(expected, answered, strict=True))
    columns = (*labels, OTHER_ANSWER)
    return ConfusionMatrix(
        labels=labels,
        answers=columns,
        counts=tuple(tuple(counts[row, column] for column in columns) for row in labels),
    )
