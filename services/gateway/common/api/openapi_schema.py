"""Request bodies in the OpenAPI schema, for routes that read their JSON themselves to answer in OpenAI's terms."""

from dataclasses import dataclass
from typing import Any

from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from pydantic import BaseModel


class WrittenSchema(Schema):
    """A schema that is written down already."""

    def __init__(self, content: dict[str, Any]) -> None:
        super().__init__()
        self.content = content

    def to_schema(self) -> dict[str, Any]:
        return self.content


def asks_for(
    body: type[BaseModel] | dict[str, Any], *, optional: bool = False, media_type: str = "application/json"
) -> type[Operation]:
    """The class of an operation that takes such a body, as a route handler's `operation_class`."""
    schema = body if isinstance(body, dict) else inlined(body.model_json_schema())

    @dataclass
    class Asking(Operation):
        def __post_init__(self) -> None:
            media = OpenAPIMediaType(schema=WrittenSchema(schema))
            self.request_body = RequestBody(content={media_type: media}, required=not optional)

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
