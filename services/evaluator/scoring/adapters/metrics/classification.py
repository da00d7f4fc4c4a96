"""Classification metrics by scikit-learn. A label is an answer's text without surrounding space."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from sklearn import metrics as sklearn
from sklearn.exceptions import UndefinedMetricWarning

from services.evaluator.scoring.adapters.metrics.text import TextMetric


class Labels(TextMetric):
    """An item's value is 1 if the label is right. An answer without a known label is wrong; it is not left out."""

    source = "scikit-learn"

    def item(self, answer: str, reference: str) -> float:
        return float(answer.strip() == reference.strip())


class Averaged(Labels):
    """The mean over the reference classes, so that rare classes count as much as common ones."""

    averaged = False
    score: Callable[..., Any]

    def figure(self, answers: Sequence[str], references: Sequence[str]) -> float:
        said, wanted = [text.strip() for text in answers], [text.strip() for text in references]
        with warnings.catch_warnings():
            # A bootstrap sample may lack predictions of a class; its value is then 0, as documented.
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            return float(type(self).score(wanted, said, labels=sorted(set(wanted)), average="macro", zero_division=0))


class Precision(Averaged):
    definition = "Share of the answers with a class's label that are right; the mean over the reference classes."
    score = staticmethod(sklearn.precision_score)


class Recall(Averaged):
    definition = "Share of a class's items that are found; the mean over the reference classes (balanced accuracy)."
    score = staticmethod(sklearn.recall_score)


class F1(Averaged):
    definition = "Harmonic mean of a class's precision and recall; the mean over the reference classes."
    score = staticmethod(sklearn.f1_score)


class Specificity(Averaged):
    definition = (
        "Share of the items of other classes whose answer is not the class; the mean over the reference classes. 0 if "
        "all items have the same class."
    )

    @staticmethod
    def score(wanted: Sequence[str], said: Sequence[str], labels: Sequence[str], **_options: Any) -> float:
        tables = sklearn.multilabel_confusion_matrix(wanted, said, labels=labels)
        rights = [table[0, 0] / negative if (negative := table[0].sum()) else 0.0 for table in tables]
        return sum(rights) / len(rights)
