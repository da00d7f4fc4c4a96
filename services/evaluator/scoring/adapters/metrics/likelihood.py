"""Perplexity. Its answers are log-likelihoods as JSON, from `LikelihoodScorer.reference_likelihood`."""

import json
import math
from collections.abc import Sequence
from typing import Any

from services.evaluator.scoring.adapters.metrics.text import TextMetric

REFUSED = {"logprob": math.log(1e-6), "tokens": 1}
"""Stands for a question that the engine refused: one token of probability 1e-6."""


class Perplexity(TextMetric):
    """An item's value is its mean log-probability per token, so that higher is better."""

    definition = (
        "Exponential of the mean negative log-probability, in nats, of the references' tokens after their prompts. "
        "Compare only models with the same tokenizer."
    )
    source = "Jelinek et al. 1977"
    range = "1 and more, 1 is best"
    averaged = False

    def items(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        return [found["logprob"] / found["tokens"] for found in map(_read, answers)]

    def figure(self, answers: Sequence[str], references: Sequence[str]) -> float:
        found = list(map(_read, answers))
        return math.exp(-sum(each["logprob"] for each in found) / sum(each["tokens"] for each in found))


def _read(answer: str) -> dict[str, Any]:
    return json.loads(answer) if answer else REFUSED
