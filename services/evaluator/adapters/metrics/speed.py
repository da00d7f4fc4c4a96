"""How fast answers come, one after another, and what the model takes up meanwhile."""

from collections.abc import Sequence

from services.evaluator.adapters.metrics.text import TextMetric
from services.evaluator.domain.speed import read_timings
from services.evaluator.domain.suite import CannotBeScored

GIB = 1024**3


class TokensPerS(TextMetric):
    definition = "Tokens of an answer after its first, by the seconds they took; the mean. A refused question is 0."
    source = "vLLM's stream, timed by the evaluator"
    range = "0 and more, more is better"

    def items(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        return [timing.tokens_per_s for timing in read_timings(answers)]


class FirstTokenS(TextMetric):
    """An item's value is less the seconds, so that more is better there too."""

    definition = "Seconds from the question to the first token of its answer; the mean. A refused question is 60."
    source = "vLLM's stream, timed by the evaluator"
    range = "0 and more, 0 is best"
    averaged = False

    def items(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        return [-timing.first_token_s for timing in read_timings(answers)]

    def figure(self, answers: Sequence[str], references: Sequence[str]) -> float:
        return -sum(self.items(answers, references)) / len(answers)


class MemoryGib(TextMetric):
    """An item's value is less the memory, which is the same for all."""

    definition = (
        "The weights' files, adapter included, and the engine's room for keys and values, in GiB. Not what "
        "the engine's own program takes up beside them."
    )
    source = "safetensors and vLLM's metrics"
    range = "0 and more, 0 is best"
    averaged = False

    def items(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        known = [timing.memory_bytes for timing in read_timings(answers) if timing.memory_bytes is not None]
        if not known and any(answers):
            raise CannotBeScored("not_measured", "the engine does not tell what memory it takes up")
        # A resample may have drawn nothing but refused questions.
        return [-known[0] / GIB if known else 0.0] * len(answers)

    def figure(self, answers: Sequence[str], references: Sequence[str]) -> float:
        return -self.items(answers, references)[0]
