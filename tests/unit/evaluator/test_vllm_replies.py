"""vLLM's replies, read."""

from typing import Any

import pytest

from services.evaluator.scoring.adapters.vllm_replies import steps_of
from services.evaluator.scoring.ports import EngineUnavailable


def reply(*steps: tuple[int, dict[int, float]]) -> dict[str, Any]:
    tops = [{f"token_id:{token}": value for token, value in likely.items()} for _taken, likely in steps]
    return {"choices": [{"logprobs": {"tokens": [f"token_id:{taken}" for taken, _ in steps], "top_logprobs": tops}}]}


def test_each_step_has_the_taken_token_and_the_asked_ones() -> None:
    steps = steps_of(reply((7, {7: -0.5, 9: -2.0}), (9, {7: -3.0, 9: -0.25})), [7, 9])
    assert [(step.taken, dict(step.logprobs)) for step in steps] == [(7, {7: -0.5, 9: -2.0}), (9, {7: -3.0, 9: -0.25})]


@pytest.mark.parametrize("body", [reply(), reply((7, {7: -0.5})), {"choices": []}, "no JSON"])
def test_a_reply_without_what_was_asked_for_is_a_failure_of_the_engine(body: Any) -> None:
    """Without a step nothing would ever be measured, and the same request would be sent for ever."""
    with pytest.raises(EngineUnavailable, match="lacks the log-probabilities"):
        steps_of(body, [7, 9])
