"""A model's confidence in its answer: the probabilities of the answer's tokens."""

import math
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

LEAST_LIKELY_COUNT = 5


class UncertainToken(BaseModel):
    """One token of an answer; `place` counts from 1, `chance` is its probability."""

    model_config = ConfigDict(frozen=True)

    token: str
    place: int
    chance: float


class Confidence(BaseModel):
    """`mean` is the geometric mean of the tokens' probabilities; `least` are the least likely tokens, in that order.

    It says how sure the model was, not whether it was right: a model is also sure of what it learned wrong.
    """

    model_config = ConfigDict(frozen=True)

    mean: float
    tokens: int
    least: tuple[UncertainToken, ...]


def confidence(token_logprobs: Sequence[tuple[str, float]]) -> Confidence | None:
    """From an answer's tokens with their log-probabilities in nats; None if there are none, or one is NaN."""
    if not token_logprobs or any(math.isnan(logprob) for _token, logprob in token_logprobs):
        return None
    # Rounding may put a certain token slightly above 0.
    logprobs = [min(0.0, logprob) for _token, logprob in token_logprobs]
    tokens = [
        UncertainToken(token=token, place=place, chance=math.exp(logprob))
        for place, ((token, _raw), logprob) in enumerate(zip(token_logprobs, logprobs, strict=True), start=1)
    ]
    least = sorted(tokens, key=lambda token: token.chance)[:LEAST_LIKELY_COUNT]
    return Confidence(mean=math.exp(sum(logprobs) / len(logprobs)), tokens=len(logprobs), least=tuple(least))
