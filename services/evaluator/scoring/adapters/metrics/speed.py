"""Speed of answers, measured one at a time, and the model's memory."""

from collections.abc import Sequence

from services.evaluator.scoring.adapters.metrics.text import TextMetric
from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.scoring.domain.timing import read_timings

GIB = 1024**3


class TokensPerS(TextMetric):
    definition = "Tokens per second after an answer's first token; the mean. A refused question counts as 0."
    source = "vLLM's stream, timed by the evaluator"
    range = "0 and more, more is better"

    def items(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        return [timing.tokens_per_s for timing in read_timings(answers)]


class FirstTokenS(TextMetric):
    """An item's value is the negative time, so that higher is better."""

    definition = (
        "Seconds from the question to the first token of its answer; the mean. A refused question counts as 60."
    )
    source = "vLLM's stream, timed by the evaluator"
    range = "0 and more, 0 is best"
    averaged = False

    def items(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        return [-timing.first_token_s for timing in read_timings(answers)]

    def figure(self, answers: Sequence[str], references: Sequence[str]) -> float:
        return -sum(self.items(answers, references)) / len(answers)


class MemoryGib(TextMetric):
    """An item's value is the negative memory, the same for all items."""

    definition = (
        "Size of the weights' files, including the adapter, and of the engine's KV cache, in GiB; without the engine's "
        "own program."
    )
    source = "safetensors and vLLM's metrics"
    range = "0 and more, 0 is best"
    averaged = False

    def items(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        known = [timing.memory_bytes for timing in read_timings(answers) if timing.memory_bytes is not None]
        if not known and any(answers):
            raise CannotBeScored("not_measured", "the engine does not report its memory")
        # A bootstrap sample may hold only refused questions.
        return [-known[0] / GIB if known else 0.0] * len(answers)

    def figure(self, answers: Sequence[str], references: Sequence[str]) -> float:
        return -self.items(answers, references)[0]
