"""How likely a model finds the expected texts; its answers are what `choosing` weighed, not words."""

import json
import math
from collections.abc import Sequence
from typing import Any

from services.evaluator.adapters.metrics.text import TextMetric

REFUSED = {"logprob": math.log(1e-6), "tokens": 1}
"""Stands for a question that the engine refused: a token that it finds all but impossible."""


class Perplexity(TextMetric):
    """An item's value is its mean log-probability a token, so that more is better there too."""

    definition = (
        "Exponential of the mean negative log-probability, in nats, of the references' tokens after their prompts: of "
        "as many equally likely tokens the model chooses on average. Compare models with one tokenizer alone."
    )
    source = "Jelinek et al. 1977"
    range = "1 and more, 1 is best"
    averaged = False

    def items(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        return [found["logprob"] / found["tokens"] for found in map(_weighed, answers)]

    def figure(self, answers: Sequence[str], references: Sequence[str]) -> float:
        found = list(map(_weighed, answers))
        return math.exp(-sum(each["logprob"] for each in found) / sum(each["tokens"] for each in found))


def _weighed(answer: str) -> dict[str, Any]:
    return json.loads(answer) if answer else REFUSED
