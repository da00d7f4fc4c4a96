"""Markdown tables for the properties of a JSON schema."""

from typing import Any

Schema = dict[str, Any]
REFERENCE = "$ref"
_LIMITS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matches `{}`",
}


def name_of(reference: str) -> str:
    """The last part of a `$ref`."""
    return reference.rpartition("/")[2]


def anchor(name: str) -> str:
    """The anchor of the section that describes the schema `name`."""
    return f"schema-{name.lower()}"


def escape(text: str) -> str:
    """`text` on one line, safe in a Markdown table cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def type_of(schema: Schema) -> str:
    """A short Markdown phrase for the type; a named schema is a link to its section."""
    if REFERENCE in schema:
        name = name_of(schema[REFERENCE])
        return f"[{name}](#{anchor(name)})"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{_shown(value)}`" for value in schema["enum"])
    for union in ("anyOf", "oneOf", "allOf"):
        if union in schema:
            return " or ".join(dict.fromkeys(type_of(option) for option in schema[union]))
    return _plain_type(schema)


def _plain_type(schema: Schema) -> str:
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        return " or ".join(_plain_type({**schema, "type": one}) for one in kind if one != "null") + " or null"
    if kind == "array":
        return f"list of {type_of(schema.get('items') or {})}"
    values = schema.get("additionalProperties")
    if kind == "object" and isinstance(values, dict) and values:
        return f"object of {type_of(values)}"
    return str(kind)


def limits_of(schema: Schema) -> str:
    """The limits on a value, and its default, in words."""
    found = [schema, *schema.get("anyOf", []), *schema.get("oneOf", [])]
    limits = [
        words.format(escape(str(_number(part[name]))))
        for part in found
        for name, words in _LIMITS.items()
        if name in part
    ]
    if schema.get("default") is not None:
        limits.append(f"default `{_shown(schema['default'])}`")
    return ", ".join(dict.fromkeys(limits))


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _shown(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def properties(schema: Schema) -> list[str]:
    """The lines of a table with one row for each property."""
    fields = schema.get("properties")
    if not fields:
        return []
    required = set(schema.get("required", ()))
    lines = ["| field | type | required | limits and default | meaning |", "|---|---|---|---|---|"]
    for name, field in fields.items():
        cells = [f"`{name}`", type_of(field), "yes" if name in required else "", limits_of(field)]
        lines.append("| " + " | ".join([*cells, escape(field.get("description", ""))]) + " |")
    return [*lines, ""]


def paragraphs(text: str) -> list[str]:
    """A docstring's paragraphs, without its indentation."""
    return ["\n".join(line.strip() for line in block.splitlines()) + "\n" for block in text.strip().split("\n\n")]


def section(name: str, schema: Schema) -> list[str]:
    """A section with the schema's description and its fields."""
    body = paragraphs(schema.get("description", ""))
    shape = properties(schema) or [f"Type: {type_of({k: v for k, v in schema.items() if k != 'description'})}", ""]
    return [f"### {name} {{ #{anchor(name)} }}", "", *body, *shape]


def referenced(schema: Any, schemas: dict[str, Schema]) -> set[str]:
    """Names of all schemas that `schema` refers to, also through others."""
    found: set[str] = set()
    waiting = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            name = name_of(value[REFERENCE]) if isinstance(value.get(REFERENCE), str) else None
            if name in schemas and name not in found:
                found.add(name)
                waiting.append(schemas[name])
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return found
