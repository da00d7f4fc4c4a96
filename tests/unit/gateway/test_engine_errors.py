"""Errors of engines as callers of the gateway see them."""

from typing import Any

import pytest

from services.gateway.inference.domain.engine_error import refused_by_engine

CHAT, TEXT = ("messages", "temperature", "response_format"), ("prompt", "temperature")
TOO_LONG = "This model's maximum context length is 2048 tokens. However, you requested 2120 tokens."


@pytest.mark.parametrize(
    ("error", "message", "sent", "param", "code"),
    [
        ({"code": 400}, TOO_LONG, CHAT, "messages", "context_length_exceeded"),
        ({"code": 400}, TOO_LONG, TEXT, "prompt", "context_length_exceeded"),
        ({"code": 400, "param": "temperature"}, "is negative", CHAT, "temperature", "invalid_request"),
        ({"code": "400", "param": "body.temperature"}, "is negative", CHAT, "temperature", "invalid_request"),
        ({"code": "invalid_schema"}, "'response_format' cannot be compiled", CHAT, "response_format", "invalid_schema"),
        ({"code": 400, "param": "guided_json"}, "cannot be compiled", CHAT, None, "invalid_request"),
        ({"code": 400}, "temperature must be non-negative", TEXT, "temperature", "invalid_request"),
        ({}, "The engine refused the request without a reason.", CHAT, None, "invalid_request"),
    ],
)
def test_an_engines_error_keeps_its_code_and_names_a_parameter_that_was_sent(
    error: dict[str, Any], message: str, sent: tuple[str, ...], param: str | None, code: str
) -> None:
    found = refused_by_engine(error, message, sent)
    assert (found.message, found.param, found.code) == (message, param, code)
