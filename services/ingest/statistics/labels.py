"""Whether answers are a few labels, and how balanced these are."""

from collections import Counter
from collections.abc import Sequence

_MOST_LABELS = 50
_LABEL_CHARS = 80


def balance(answers: Sequence[str]) -> dict[str, float]:
    """The share of each label; empty where the answers are not labels."""
    counted = Counter(answers)
    short = all(len(answer) <= _LABEL_CHARS for answer in counted)
    if len(answers) < 20 or not short or not 2 <= len(counted) <= min(_MOST_LABELS, len(answers) // 5):
        return {}
    return {label: count / len(answers) for label, count in counted.most_common()}
