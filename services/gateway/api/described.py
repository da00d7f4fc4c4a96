"""Request bodies in the OpenAPI schema, for routes that read their JSON themselves to answer in OpenAI's terms."""

from dataclasses import dataclass
from typing import Any

from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from pydantic import BaseModel

_MESSAGE = {
    "type": "object",
    "required": ["role", "content"],
    "properties": {"role": {"enum": ["system", "user", "assistant", "tool"]}, "content": {"type": "string"}},
}
_ASKED = {
    "model": {"type": "string", "minLength": 1},
    "n": {"type": "integer", "minimum": 1},
    "max_tokens": {"type": "integer", "minimum": 1},
    "temperature": {"type": "number", "minimum": 0, "maximum": 2},
    "top_p": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    "seed": {"type": "integer"},
    "stop": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "maxItems": 16}]},
    "stream": {"type": "boolean"},
    "stream_options": {"type": "object", "properties": {"include_usage": {"type": "boolean"}}},
    "user": {"type": "string"},
}
CHAT: dict[str, Any] = {
    "type": "object",
    "required": ["model", "messages"],
    "properties": {**_ASKED, "messages": {"type": "array", "minItems": 1, "items": _MESSAGE}},
}
TEXT: dict[str, Any] = {
    "type": "object",
    "required": ["model", "prompt"],
    "properties": {
        **_ASKED,
        "prompt": {"anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {"type": "string"}}]},
        "echo": {"type": "boolean"},
        "logprobs": {"type": "integer", "minimum": 0, "maximum": 5},
    },
}


class Given(Schema):
    """A schema that is written down already."""

    def __init__(self, content: dict[str, Any]) -> None:
        super().__init__()
        self.content = content

    def to_schema(self) -> dict[str, Any]:
        return self.content


def asks_for(body: type[BaseModel] | dict[str, Any], *, optional: bool = False) -> type[Operation]:
    """The class of an operation that takes such a body, as a route handler's `operation_class`."""
    schema = body if isinstance(body, dict) else inlined(body.model_json_schema())

    @dataclass
    class Asking(Operation):
        def __post_init__(self) -> None:
            media = OpenAPIMediaType(schema=Given(schema))
            self.request_body = RequestBody(content={"application/json": media}, required=not optional)

    return Asking


def inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """A model's schema without references: they would point outside of the document."""
    parts: dict[str, Any] = schema.get("$defs", {})

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [walk(entry) for entry in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return walk(parts[node["$ref"].rpartition("/")[2]])
        return {name: walk(value) for name, value in node.items() if name != "$defs"}

    return walk(schema)
