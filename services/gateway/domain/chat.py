"""What a chat request may hold: OpenAI's documented parameters, and none that can harm the engine or its users."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from services.gateway.domain.refusals import BadRequest

PASSED_ON = frozenset(
    {"messages", "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "n"}
    | {"parallel_tool_calls", "presence_penalty", "reasoning_effort", "response_format", "seed", "stop", "stream"}
    | {"stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p"}
)
# Meant for OpenAI's own side of the wire: they change no answer.
TAKEN_AND_DROPPED = frozenset(
    {"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"}
)
RESPONSE_FORMATS = ("text", "json_object", "json_schema")
MAX_SCHEMA_BYTES = 32 * 1024
MAX_STOPS = 16
MAX_TOP_LOGPROBS = 20
# For what is reserved until the engine has counted: an answer without a limit of its own, and JSON in English.
USUAL_TOKENS = 256
BYTES_A_TOKEN = 4


@dataclass(frozen=True)
class ChatRequest:
    """An admitted request: the model asked for, and the rest as it goes to the engine."""

    model: str
    stream: bool
    user: str | None
    """Who asks, in the caller's own words."""
    prompt_tokens: int
    """About how many; the engine says it exactly, where its answer comes to an end."""
    answer_tokens: int
    """At most how many are asked for, or what is usual."""
    usage_asked: bool
    """The caller wants a stream to end with what it took."""
    rest: bytes
    """Every other member of the JSON object, without its opening brace."""

    def addressed_to(self, model: str) -> bytes:
        """The JSON that an engine gets, written once however often it is sent."""
        return b'{"model":' + msgspec.json.encode(model) + b"," + self.rest


def admit(body: Any, max_choices: int) -> ChatRequest:
    """Check a body; raises `BadRequest` that names the parameter."""
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    for name in body:
        if name not in PASSED_ON and name not in TAKEN_AND_DROPPED and name != "model":
            raise BadRequest(
                f"The parameter '{str(name)[:64]}' is not supported here.",
                param=str(name)[:64],
                code="unsupported_parameter",
            )
    kept: dict[str, Any] = {k: v for k, v in body.items() if k in PASSED_ON and v is not None}
    _check_messages(kept.get("messages"))
    _check_numbers(kept, max_choices)
    _check_format(kept.get("response_format"))
    model, stream = body.get("model"), kept.get("stream", False)
    if not isinstance(model, str) or not model:
        raise _wrong("model", "must name a model")
    if not isinstance(stream, bool):
        raise _wrong("stream", "must be true or false")
    usage_asked = _ask_for_usage(kept) if stream else False
    rest = _encoded(kept)[1:]
    wanted = kept.get("max_completion_tokens") or kept.get("max_tokens") or USUAL_TOKENS
    tokens = len(rest) // BYTES_A_TOKEN, wanted * kept.get("n", 1)
    return ChatRequest(model, stream, _user(body), *tokens, usage_asked, rest)


def _ask_for_usage(kept: dict[str, Any]) -> bool:
    """Let a stream end with what it took, whatever the caller said; whether he wants to see it."""
    options: Any = kept.get("stream_options", {})
    if not isinstance(options, dict):
        raise _wrong("stream_options", "must be an object")
    kept["stream_options"] = {**options, "include_usage": True}
    return options.get("include_usage") is True


def _user(body: Mapping[str, Any]) -> str | None:
    """OpenAI renamed it; both are sent."""
    named = body.get("safety_identifier") or body.get("user")
    return named if isinstance(named, str) else None


def _encoded(body: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:
        raise _wrong("messages", "holds half a surrogate pair, which is no text") from None


def _check_messages(messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        raise _wrong("messages", "must be a list with at least one message")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise _wrong(f"messages[{index}]", "must be an object with 'role' and 'content'")
        content: Any = message.get("content")
        if not isinstance(content, str | list | None):
            raise _wrong(f"messages[{index}].content", "must be text")
        # An engine fetches the URLs of images and sounds itself, from inside the network.
        for part in content if isinstance(content, list) else ():
            if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
                raise _wrong(f"messages[{index}].content", "may only have parts of the type 'text'")


def _check_numbers(body: Mapping[str, Any], max_choices: int) -> None:
    for name, low, high in (
        ("n", 1, max_choices),
        ("top_logprobs", 0, MAX_TOP_LOGPROBS),
        ("max_tokens", 1, 2**31 - 1),
        ("max_completion_tokens", 1, 2**31 - 1),
    ):
        value = body.get(name, low)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise _wrong(name, f"must be a whole number from {low} to {high}")
    stops: Any = body.get("stop", [])
    if isinstance(stops, list) and len(stops) > MAX_STOPS:
        raise _wrong("stop", f"may hold at most {MAX_STOPS} texts")


def _check_format(asked: Any) -> None:
    if asked is None:
        return
    if not isinstance(asked, dict) or asked.get("type") not in RESPONSE_FORMATS:
        raise _wrong("response_format", f"must have one of the types {', '.join(RESPONSE_FORMATS)}")
    if len(json.dumps(asked)) > MAX_SCHEMA_BYTES:
        raise _wrong("response_format", f"must be smaller than {MAX_SCHEMA_BYTES} bytes")


def _wrong(param: str, what: str) -> BadRequest:
    return BadRequest(f"'{param}' {what}.", param=param, code="invalid_value")
