"""The base of a metric over texts: `evaluate.Metric`, with each item's value, and no hub, file or network."""

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate


class TextMetric(evaluate.Metric):
    """Compares predicted texts with reference texts; the figure is the mean of the items' values unless overridden.

    A subclass gives `definition`, `source` and `item`; one whose figure is no mean gives `figure` too.
    """

    definition = ""
    source = ""
    averaged = True
    """Whether the figure is the mean of the items' values, which makes its interval cheap."""

    def __init__(self) -> None:
        # In memory, so that evaluators on one machine share no file.
        super().__init__(keep_in_memory=True)

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=self.definition,
            citation=self.source,
            inputs_description="predictions and references: lists of texts",
            features=datasets.Features({"predictions": text, "references": text}),
        )

    def item(self, answer: str, reference: str) -> float:
        """One item's value, from 0 to 1."""
        raise NotImplementedError

    def figure(self, answers: Sequence[str], references: Sequence[str]) -> float:
        """The metric over all items, from 0 to 1."""
        return sum(map(self.item, answers, references)) / len(answers)

    def _compute(self, *, predictions: Any = None, references: Any = None, **_options: Any) -> dict[str, float]:
        return {self.name: self.figure(predictions, references)}
