"""A request for a plain completion: OpenAI's documented parameters, text only."""

from typing import Any

from services.gateway.inference.domain.chat_request import (
    TAKEN_AND_DROPPED,
    ChatRequest,
    addressed,
    check_number,
    check_stops,
    known_only,
    wrong,
)

PATH = "/v1/completions"
PASSED_ON = frozenset(
    {"prompt", "echo", "frequency_penalty", "logit_bias", "logprobs", "max_tokens", "n", "presence_penalty"}
    | {"seed", "stop", "stream", "stream_options", "temperature", "top_p"}
)
MAX_LOGPROBS = 5


def admit(body: Any, max_choices: int) -> ChatRequest:
    """Check a body; raises `BadRequest` that names the parameter."""
    kept = known_only(body, PASSED_ON, TAKEN_AND_DROPPED)
    prompt: Any = kept.get("prompt")
    prompts: Any = [prompt] if isinstance(prompt, str) else prompt
    # Token ids are refused: an id out of range can crash an engine.
    if not isinstance(prompts, list) or not prompts or not all(isinstance(text, str) for text in prompts):
        raise wrong("prompt", "must be text or a list of texts")
    check_number(kept, "n", 1, max(1, max_choices // len(prompts)))
    if len(prompts) > max_choices:
        raise wrong("prompt", f"may hold at most {max_choices} texts")
    check_number(kept, "max_tokens", 1, 2**31 - 1)
    check_number(kept, "logprobs", 0, MAX_LOGPROBS)
    check_stops(kept)
    if kept.get("echo") and kept.get("logprobs") is not None:
        raise wrong("echo", "cannot be asked for together with 'logprobs': it crashes some engines")
    return addressed(PATH, body, kept, answers=len(prompts) * kept.get("n", 1))
