"""Multi-label metrics by scikit-learn. An answer is a JSON list of labels, or labels separated by commas."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from sklearn import metrics as sklearn
from sklearn.preprocessing import MultiLabelBinarizer

from services.evaluator.scoring.adapters.metrics.text import TextMetric


class LabelSets(TextMetric):
    """An item's value compares its two sets; labels that no reference has count as wrong."""

    source = "scikit-learn"
    score: Callable[..., Any]

    def item(self, answer: str, reference: str) -> float:
        said, wanted = labels(answer), labels(reference)
        if not said and not wanted:
            return 1.0
        # With one extra label that neither has, because scikit-learn treats a single column as two classes.
        wanted_bits, said_bits = MultiLabelBinarizer(classes=["", *sorted(said | wanted)]).fit_transform([wanted, said])
        return float(type(self).score([wanted_bits], [said_bits]))


class Jaccard(LabelSets):
    definition = "Number of labels in both sets, divided by the number in either; the mean. Two empty sets are equal."
    source = "Jaccard 1901, by scikit-learn"
    score = staticmethod(lambda wanted, said: sklearn.jaccard_score(wanted, said, average="samples", zero_division=0))


class LabelF1(LabelSets):
    definition = "Harmonic mean of the precision and recall of an item's labels; the mean. Two empty sets are equal."
    score = staticmethod(lambda wanted, said: sklearn.f1_score(wanted, said, average="samples", zero_division=0))


class Hamming(TextMetric):
    """An item's value is 1 minus its share of wrong labels, so that higher is better."""

    definition = "Share of wrong labels over all labels of the references and answers."
    source = "Hamming 1950, by scikit-learn"
    range = "0 to 1, 0 is best"
    averaged = False

    def items(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        count = max(1, len(_known(answers, references)))
        pairs = zip(answers, references, strict=True)
        return [1 - len(labels(answer) ^ labels(reference)) / count for answer, reference in pairs]

    def figure(self, answers: Sequence[str], references: Sequence[str]) -> float:
        known = sorted(_known(answers, references))
        if not known:
            return 0.0
        cut = MultiLabelBinarizer(classes=known)
        wanted = cut.fit_transform([labels(text) for text in references])
        return float(sklearn.hamming_loss(wanted, cut.transform([labels(text) for text in answers])))


def labels(text: str) -> set[str]:
    """The labels in a text."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = text.replace("\n", ",").replace("，", ",").replace("、", ",").split(",")
    listed = found if isinstance(found, list) else [found]
    return {str(label).strip() for label in listed} - {""}


def _known(answers: Sequence[str], references: Sequence[str]) -> set[str]:
    return {label for text in (*answers, *references) for label in labels(text)}
