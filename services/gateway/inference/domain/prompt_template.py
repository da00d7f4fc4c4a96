"""Applies the prompt template of a version to a chat request; the caller sends the input alone and never sees it."""

from dataclasses import replace
from typing import Any

import msgspec

from services.gateway.common.domain.errors import BadRequest
from services.gateway.inference.domain.chat_request import PATH, ChatRequest
from shared.events import Candidate, PromptTemplate
from shared.events.templates import Decoding
from shared.prompts import MissingFieldError, SystemRefusedError, render


def applied(request: ChatRequest, candidate: Candidate | None) -> ChatRequest:
    """The request as the version was trained to be asked.

    Requests for plain text, and versions without a template, stay as they are. Raises `BadRequest` for a field of the
    template that the request lacks, and for a system message where the template refuses one.
    """
    if candidate is None or candidate.template is None or request.path != PATH:
        return request
    template = candidate.template
    body = {**request.members, "messages": _messages(request, template), **_decoding(request, template.decoding)}
    return replace(request, rest=msgspec.json.encode(body)[1:])


def _messages(request: ChatRequest, template: PromptTemplate) -> list[dict[str, Any]]:
    try:
        return render(template, request.members["messages"], request.template_fields)
    except MissingFieldError as error:
        message = f"This model's prompt template needs the field {error.field!r} in 'template_fields'."
        param = f"template_fields.{error.field}"
        raise BadRequest(message, param=param, code="missing_required_parameter") from None
    except SystemRefusedError as error:
        raise BadRequest(f"{str(error).capitalize()}.", param="messages[0].role", code="invalid_value") from None


def _decoding(request: ChatRequest, decoding: Decoding) -> dict[str, Any]:
    """`max_tokens` is a cap; temperature and stop texts hold where the caller sets none."""
    members, chosen = request.members, dict[str, Any]()
    if decoding.max_tokens is not None:
        name = "max_completion_tokens" if "max_completion_tokens" in members else "max_tokens"
        chosen[name] = min(members.get(name, decoding.max_tokens), decoding.max_tokens)
    if decoding.temperature is not None and "temperature" not in members:
        chosen["temperature"] = decoding.temperature
    if decoding.stop and "stop" not in members:
        chosen["stop"] = list(decoding.stop)
    return chosen
