"""Which label was taken for which."""

from collections import Counter
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

OTHER = "(another answer)"
MOST_LABELS = 100


class TooManyLabels(Exception):
    """References that are no labels: there are too many different ones."""


class Confusion(BaseModel):
    """Row by reference label, column by answered label; the last column counts answers that are no reference label."""

    model_config = ConfigDict(frozen=True)

    labels: tuple[str, ...]
    answers: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


def confusion(answers: Sequence[str], references: Sequence[str]) -> Confusion:
    """The matrix of labels; the space around a text is no part of its label. Raises `TooManyLabels`."""
    wanted = [text.strip() for text in references]
    labels = tuple(sorted(set(wanted)))
    if len(labels) > MOST_LABELS:
        raise TooManyLabels(
            f"there are {len(labels)} different references, more than {MOST_LABELS}: they are no labels"
        )
    said = [text.strip() if text.strip() in labels else OTHER for text in answers]
    counts = Counter(zip(wanted, said, strict=True))
    columns = (*labels, OTHER)
    return Confusion(
        labels=labels,
        answers=columns,
        counts=tuple(tuple(counts[row, column] for column in columns) for row in labels),
    )
