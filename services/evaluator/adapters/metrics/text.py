"""The base of a metric over texts: `evaluate.Metric`, with each item's value, and no hub, file or network."""

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate


class TextMetric(evaluate.Metric):
    """Compares predicted texts with reference texts; the figure is the mean of the items' values unless overridden.

    A subclass gives `definition`, `source` and `item`, or `items` where an item's value needs the others; one whose
    figure is no mean gives `figure` too. More is better for an item, whatever the figure's range says of that.
    """

    definition = ""
    source = ""
    range = "0 to 1, 1 is best"
    averaged = True
    """Whether the figure is the mean of the items' values, which makes its interval cheap."""

    def __init__(self) -> None:
        # In memory, so that evaluators on one machine share no file.
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

    def items(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        """Each item's value."""
        return list(map(self.item, answers, references))

    def figure(self, answers: Sequence[str], references: Sequence[str]) -> float:
        """The metric over all items."""
        return sum(self.items(answers, references)) / len(answers)

    def _compute(self, *, predictions: Any = None, references: Any = None, **_options: Any) -> dict[str, float]:
        return {self.name: self.figure(predictions, references)}
