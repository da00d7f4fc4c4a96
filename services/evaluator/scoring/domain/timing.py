"""How fast an answer came."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict


class Timing(BaseModel):
    """One answer of `tokens` tokens; `memory_bytes` is the model's memory on the engine, if the engine reports it."""

    model_config = ConfigDict(frozen=True)

    first_token_s: float
    total_s: float
    tokens: int
    memory_bytes: int | None = None

    @property
    def tokens_per_s(self) -> float:
        """The rate after the first token, which alone waits for the prompt."""
        return (self.tokens - 1) / max(self.total_s - self.first_token_s, 1e-6)


REFUSED = Timing(first_token_s=60, total_s=60, tokens=1)
"""Stands for a question that the engine refused."""


def read_timings(answers: Sequence[str]) -> list[Timing]:
    """The timings in the texts of answers."""
    return [Timing.model_validate_json(answer) if answer else REFUSED for answer in answers]
