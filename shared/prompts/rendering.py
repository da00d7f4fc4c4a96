"""Renders a template around messages, by literal substitution.

Training rows and requests go through the same `render`, so that a model is asked as it was trained. A value is put in
as it is: what looks like a placeholder inside a value stays text, and so does everything in a template that is not
exactly `{name}` of a known field.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from shared.events.templates import PromptTemplate

INPUT = "input"
_PLACEHOLDER = re.compile(r"\{([^\W\d]\w{0,63})\}")


class MissingFieldError(ValueError):
    """A field of the template has no value; `field` is its name."""

    def __init__(self, field: str) -> None:
        super().__init__(f"the prompt template needs the field {field!r}")
        self.field = field


class SystemRefusedError(ValueError):
    """The template allows no system message of the caller."""


def placeholders(text: str) -> list[str]:
    """The names in `{…}`, each once, in their order."""
    return list(dict.fromkeys(_PLACEHOLDER.findall(text)))


def render(
    template: PromptTemplate, messages: Sequence[Mapping[str, Any]], fields: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The messages with the template's system part first and its user part around each user message.

    `fields` are the row's other columns, or a request's extra fields. Raises `MissingFieldError`, and
    `SystemRefusedError` for a system message where the template refuses one.
    """
    values = {name: _value(name, fields) for name in template.fields}
    said = [dict(message) for message in messages]
    system = _substitute(template.system, values)
    if said and said[0].get("role") == "system":
        if template.caller_system == "refuse":
            raise SystemRefusedError("this model allows no system message: its prompt template has one")
        own = _text(said.pop(0).get("content"))
        system = f"{system}\n\n{own}" if system else own
    rendered = [_rendered(template, message, values) for message in said]
    return [{"role": "system", "content": system}, *rendered] if system else rendered


def _rendered(template: PromptTemplate, message: dict[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    if message.get("role") != "user":
        return message
    return {**message, "content": _substitute(template.user, {**values, INPUT: _text(message.get("content"))})}


def _substitute(text: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)


def _value(name: str, fields: Mapping[str, str]) -> str:
    if (value := fields.get(name)) is None or value == "":
        raise MissingFieldError(name)
    return str(value)


def _text(content: Any) -> str:
    """The text of a message, also when it is given in parts of text."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(part["text"] for part in parts if isinstance(part, Mapping) and isinstance(part.get("text"), str))
