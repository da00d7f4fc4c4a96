"""A chat request: OpenAI's documented parameters, without those that can harm an engine."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from services.gateway.common.domain.errors import BadRequest

PATH = "/v1/chat/completions"
PASSED_ON = frozenset(
    {"messages", "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "n"}
    | {"parallel_tool_calls", "presence_penalty", "reasoning_effort", "response_format", "seed", "stop", "stream"}
    | {"stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p"}
)
# For OpenAI's own bookkeeping: they do not change the answer, so they are accepted and dropped.
TAKEN_AND_DROPPED = frozenset(
    {"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"}
    # Assay's own: it is used here and does not go to the engine.
    | {"template_fields"}
)
MAX_TEMPLATE_FIELDS = 50
ROLES = ("system", "developer", "user", "assistant", "tool")
RESPONSE_FORMATS = ("text", "json_object", "json_schema")
MAX_SCHEMA_BYTES = 32 * 1024
MAX_STOPS = 16
MAX_TOP_LOGPROBS = 20
# Estimates until the engine reports its usage: tokens of an answer without a limit, and bytes a token.
USUAL_TOKENS = 256
BYTES_A_TOKEN = 4


@dataclass(frozen=True)
class ChatRequest:
    """A checked request: the model, and the rest as it goes to the engine."""

    path: str
    """The path at the engine."""
    model: str
    stream: bool
    user: str | None
    """The end user, as the caller names them."""
    prompt_tokens: int
    """An estimate; the engine reports the exact number with its answer."""
    answer_tokens: int
    """The requested limit, or an estimate."""
    usage_asked: bool
    """Whether the caller asked for the usage at the end of a stream."""
    rest: bytes
    """Every other member of the JSON object, without its opening brace."""
    members: Mapping[str, Any]
    """The same members before they were encoded."""
    template_fields: Mapping[str, str]
    """Values for the fields of the version's prompt template other than `{input}`."""

    def addressed_to(self, model: str) -> bytes:
        """The JSON body for an engine; the rest is encoded once for all tries."""
        return b'{"model":' + msgspec.json.encode(model) + b"," + self.rest


def admit(body: Any, max_choices: int) -> ChatRequest:
    """Check a body; raises `BadRequest` that names the parameter."""
    kept = known_only(body, PASSED_ON, TAKEN_AND_DROPPED)
    _check_messages(kept.get("messages"))
    check_number(kept, "n", 1, max_choices)
    check_number(kept, "top_logprobs", 0, MAX_TOP_LOGPROBS)
    check_number(kept, "max_tokens", 1, 2**31 - 1)
    check_number(kept, "max_completion_tokens", 1, 2**31 - 1)
    check_stops(kept)
    _check_format(kept.get("response_format"))
    return addressed(PATH, body, kept, answers=kept.get("n", 1))


def known_only(body: Any, passed_on: Collection[str], dropped: Collection[str]) -> dict[str, Any]:
    """The members that go to an engine; raises `BadRequest` for unknown ones."""
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    for name in body:
        if name not in passed_on and name not in dropped and name != "model":
            raise BadRequest(
                f"The parameter '{str(name)[:64]}' is not supported here.",
                param=str(name)[:64],
                code="unsupported_parameter",
            )
    return {name: value for name, value in body.items() if name in passed_on and value is not None}


def addressed(path: str, body: Mapping[str, Any], kept: dict[str, Any], answers: int) -> ChatRequest:
    """The request as it goes to an engine; raises `BadRequest`."""
    model, stream = body.get("model"), kept.get("stream", False)
    if not isinstance(model, str) or not model:
        raise wrong("model", "must name a model")
    if not isinstance(stream, bool):
        raise wrong("stream", "must be true or false")
    usage_asked = _ask_for_usage(kept) if stream else False
    rest = _encoded(kept)[1:]
    wanted = kept.get("max_completion_tokens") or kept.get("max_tokens") or USUAL_TOKENS
    return ChatRequest(
        path=path,
        model=model,
        stream=stream,
        user=_user(body),
        prompt_tokens=len(rest) // BYTES_A_TOKEN,
        answer_tokens=wanted * answers,
        usage_asked=usage_asked,
        rest=rest,
        members=kept,
        template_fields=_template_fields(body),
    )


def _ask_for_usage(kept: dict[str, Any]) -> bool:
    """Ask the engine for the usage of a stream; returns whether the caller asked for it too."""
    options: Any = kept.get("stream_options", {})
    if not isinstance(options, dict):
        raise wrong("stream_options", "must be an object")
    kept["stream_options"] = {**options, "include_usage": True}
    return options.get("include_usage") is True


def _user(body: Mapping[str, Any]) -> str | None:
    """OpenAI renamed the parameter; clients send either."""
    named = body.get("safety_identifier") or body.get("user")
    return named if isinstance(named, str) else None


def _template_fields(body: Mapping[str, Any]) -> Mapping[str, str]:
    fields: Any = body.get("template_fields") or {}
    if not isinstance(fields, dict) or len(fields) > MAX_TEMPLATE_FIELDS:
        raise wrong("template_fields", f"must be an object with at most {MAX_TEMPLATE_FIELDS} fields")
    for name, value in fields.items():
        if not isinstance(value, str):
            raise wrong(f"template_fields.{name[:64]}", "must be text")
    return fields


def _encoded(body: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:
        raise wrong("messages", "contains half a surrogate pair, which is not valid text") from None


def _check_messages(messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        raise wrong("messages", "must be a list with at least one message")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise wrong(f"messages[{index}]", "must be an object with 'role' and 'content'")
        if message["role"] not in ROLES:
            raise wrong(f"messages[{index}].role", f"must be one of {', '.join(ROLES)}")
        content: Any = message.get("content")
        if not isinstance(content, str | list | None):
            raise wrong(f"messages[{index}].content", "must be text")
        # An engine fetches the URLs of images and sounds itself, from inside the network.
        for part in content if isinstance(content, list) else ():
            if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
                raise wrong(f"messages[{index}].content", "may only have parts of the type 'text'")


def check_number(body: Mapping[str, Any], name: str, low: int, high: int) -> None:
    """Raises `BadRequest` for a value that is not a whole number between `low` and `high`."""
    if (value := body.get(name)) is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise wrong(name, f"must be a whole number from {low} to {high}")


def check_stops(body: Mapping[str, Any]) -> None:
    stops: Any = body.get("stop", [])
    if isinstance(stops, list) and len(stops) > MAX_STOPS:
        raise wrong("stop", f"may hold at most {MAX_STOPS} texts")


def _check_format(asked: Any) -> None:
    """Refuse a format that engines would ignore, so that a caller can rely on the form of the answer."""
    if asked is None:
        return
    if not isinstance(asked, dict) or asked.get("type") not in RESPONSE_FORMATS:
        raise wrong("response_format", f"must have one of the types {', '.join(RESPONSE_FORMATS)}")
    if len(json.dumps(asked)) > MAX_SCHEMA_BYTES:
        raise wrong("response_format", f"must be smaller than {MAX_SCHEMA_BYTES} bytes")
    if asked["type"] == "json_schema":
        _check_schema(asked.get("json_schema"))


def _check_schema(described: Any) -> None:
    if not isinstance(described, dict) or not isinstance(described.get("name"), str):
        raise wrong("response_format.json_schema", "must be an object with 'name' and 'schema'")
    if not isinstance(described.get("schema"), dict):
        raise wrong(
            "response_format.json_schema.schema", "must be a JSON schema; without one the engine enforces nothing"
        )


def wrong(param: str, what: str) -> BadRequest:
    """The error for a wrong value of a parameter."""
    return BadRequest(f"'{param}' {what}.", param=param, code="invalid_value")
