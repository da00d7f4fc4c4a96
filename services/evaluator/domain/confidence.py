"""How sure a model was of its answer: the chance that it gave each of the answer's tokens."""

import math
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

LEAST = 5


class Doubt(BaseModel):
    """One token of an answer; `place` counts from 1, `chance` lies from 0 to 1."""

    model_config = ConfigDict(frozen=True)

    token: str
    place: int
    chance: float


class Confidence(BaseModel):
    """`mean` is the geometric mean of the tokens' chances; `least` are the least likely ones, the least first.

    It tells how sure the model was, not how right: a model that learned something wrong is sure of it.
    """

    model_config = ConfigDict(frozen=True)

    mean: float
    tokens: int
    least: tuple[Doubt, ...]


def confidence(told: Sequence[tuple[str, float]]) -> Confidence | None:
    """From an answer's tokens, each with its log-probability in nats; None of no tokens, or where one is no number."""
    if not told or any(math.isnan(logprob) for _token, logprob in told):
        return None
    # Rounding may leave a sure token a little above 0.
    logprobs = [min(0.0, logprob) for _token, logprob in told]
    doubts = [
        Doubt(token=token, place=place, chance=math.exp(logprob))
        for place, ((token, _told), logprob) in enumerate(zip(told, logprobs, strict=True), start=1)
    ]
    least = sorted(doubts, key=lambda doubt: doubt.chance)[:LEAST]
    return Confidence(mean=math.exp(sum(logprobs) / len(logprobs)), tokens=len(logprobs), least=tuple(least))
