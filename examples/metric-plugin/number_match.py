"""A metric of one's own: whether the last number in the answer is the last number in the reference."""

import re

from services.evaluator.scoring.adapters.metrics.text import TextMetric

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


class NumberMatch(TextMetric):
    definition = "Share of items whose answer ends on the number that the reference ends on."
    source = "common practice for word problems (GSM8K)"

    def item(self, answer: str, reference: str) -> float:
        said, wanted = _NUMBER.findall(answer.replace(",", "")), _NUMBER.findall(reference.replace(",", ""))
        return float(bool(said) and bool(wanted) and float(said[-1]) == float(wanted[-1]))
