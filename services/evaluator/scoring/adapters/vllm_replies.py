"""Reads vLLM's replies, and translates its errors."""

from collections.abc import Sequence
from typing import Any

from services.evaluator.scoring.domain.answer import TokenStep
from services.evaluator.scoring.domain.answer_confidence import Confidence, confidence
from services.evaluator.scoring.ports import AdapterGone, EngineUnavailable

ITEM_REFUSED = {400, 413, 422}
CONTROL_TIMEOUT_S = 60.0


def unusable(model: str, status: int, body: Any) -> Exception:
    if status == 404:
        return AdapterGone(f"the engine does not know {model!r}")
    return EngineUnavailable(reason_of(status, body))


def text_of(body: Any) -> str:
    try:
        return body["choices"][0]["message"]["content"] or ""
    except (KeyError, IndexError, TypeError) as error:
        raise EngineUnavailable(f"the engine's answer is not a chat completion: {type(error).__name__}") from None


def completion_of(body: Any) -> str:
    try:
        return str(body["choices"][0]["text"])
    except (KeyError, IndexError, TypeError) as error:
        raise EngineUnavailable(f"the engine's answer is not a completion: {type(error).__name__}") from None


def confidence_of(body: Any) -> Confidence | None:
    """None if the engine reports no readable log-probabilities; the answer is used without them."""
    try:
        tokens = body["choices"][0]["logprobs"]["content"]
        return confidence([(str(each["token"]), float(each["logprob"])) for each in tokens])
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def steps_of(body: Any, asked: Sequence[int]) -> list[TokenStep]:
    try:
        found = body["choices"][0]["logprobs"]
        taken = [int(token.removeprefix("token_id:")) for token in found["tokens"]]
        if not taken:
            raise ValueError("no token")
        logprobs = [{token: float(top[f"token_id:{token}"]) for token in asked} for top in found["top_logprobs"]]
        return [TokenStep(*each) for each in zip(taken, logprobs, strict=True)]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise EngineUnavailable(f"the engine's answer lacks the log-probabilities: {error!r}") from None


def reason_of(status: int, body: Any) -> str:
    error = body.get("error", body) if isinstance(body, dict) else body
    message = error.get("message", error) if isinstance(error, dict) else error
    return f"{status} {str(message)[:1000]}"


def prompt_logprobs_of(body: Any, prompt: Sequence[int]) -> list[tuple[float, bool]]:
    """Log-probability of each token of the prompt and whether it is the likeliest; the first one has none."""
    try:
        _first, *others = body["choices"][0]["prompt_logprobs"]
        found = [each[str(token)] for each, token in zip(others, prompt[1:], strict=True)]
        return [(0.0, True), *((float(each["logprob"]), each["rank"] == 1) for each in found)]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise EngineUnavailable(f"the engine's answer lacks the log-probabilities of the prompt: {error!r}") from None
