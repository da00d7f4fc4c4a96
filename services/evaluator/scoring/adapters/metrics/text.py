"""The base class of metrics: `evaluate.Metric` with a value per item, and without hub, files or network."""

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate


class TextMetric(evaluate.Metric):
    """Compares answers with references; the score is the mean of the items' values unless `figure` is overridden.

    A subclass defines `definition`, `source` and `item`, or `items` if an item's value depends on other items. If the
    score is not the mean, it also defines `figure`. Per-item values are oriented so that higher is better.
    """

    definition = ""
    source = ""
    range = "0 to 1, 1 is best"
    averaged = True
    """Whether the score is the mean of the items' values; its interval is then cheap."""

    def __init__(self) -> None:
        # In memory, so that evaluators on the same machine do not share a file.
        super().__init__(keep_in_memory=True)

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=f"{self.definition} Range: {self.range}.",
            citation=self.source,
            inputs_description="predictions and references: lists of texts",
            features=datasets.Features({"predictions": text, "references": text}),
        )

    def item(self, answer: str, reference: str) -> float:
        """One item's value."""
        raise NotImplementedError

    def readable(self, answer: str) -> bool:
        """Whether the answer has the form that the metric reads; one that has not is counted, and scored as wrong."""
        return True

    def items(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        """Each item's value."""
        return list(map(self.item, answers, references))

    def figure(self, answers: Sequence[str], references: Sequence[str]) -> float:
        """The metric over all items."""
        return sum(self.items(answers, references)) / len(answers)

    def _compute(self, *, predictions: Any = None, references: Any = None, **_options: Any) -> dict[str, float]:
        return {self.name: self.figure(predictions, references)}
