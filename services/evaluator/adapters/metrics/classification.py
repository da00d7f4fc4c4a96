"""Answers as class labels, by scikit-learn: an answer's label is its text without the space around it."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from sklearn import metrics as sklearn
from sklearn.exceptions import UndefinedMetricWarning

from services.evaluator.adapters.metrics.text import TextMetric


class Labels(TextMetric):
    """An item's value is 1 where the label is right. An answer that names no known label is wrong, not left out."""

    source = "scikit-learn"

    def item(self, answer: str, reference: str) -> float:
        return float(answer.strip() == reference.strip())


class Averaged(Labels):
    """A figure of each reference class, averaged with equal weight, so that a rare class counts as a common one."""

    averaged = False
    score: Callable[..., Any]

    def figure(self, answers: Sequence[str], references: Sequence[str]) -> float:
        said, wanted = [text.strip() for text in answers], [text.strip() for text in references]
        with warnings.catch_warnings():
            # Each item that is resampled away leaves a class without predictions; its value is 0 as documented.
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            return float(type(self).score(wanted, said, labels=sorted(set(wanted)), average="macro", zero_division=0))


class Precision(Averaged):
    definition = "Of the answers with a class's label, the share that is right; the mean over the reference classes."
    score = staticmethod(sklearn.precision_score)


class Recall(Averaged):
    definition = "Of a class's items, the share that is found; the mean over the reference classes (balanced accuracy)."
    score = staticmethod(sklearn.recall_score)


class F1(Averaged):
    definition = "Harmonic mean of a class's precision and recall; the mean over the reference classes."
    score = staticmethod(sklearn.f1_score)


class Specificity(Averaged):
    definition = (
        "Of the items that are not of a class, the share whose answer is not that class; the mean over the reference "
        "classes. Where all items are of one class it is 0."
    )

    @staticmethod
    def score(wanted: Sequence[str], said: Sequence[str], labels: Sequence[str], **_options: Any) -> float:
        tables = sklearn.multilabel_confusion_matrix(wanted, said, labels=labels)
        rights = [table[0, 0] / negative if (negative := table[0].sum()) else 0.0 for table in tables]
        return sum(rights) / len(rights)
