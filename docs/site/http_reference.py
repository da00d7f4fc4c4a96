"""The HTTP API of each service as a page, from the service's own OpenAPI schema; no server is started."""

import importlib
import inspect
import json
from dataclasses import dataclass
from typing import Any

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.serialization import encode_json, get_serializer

from docs.site import schema_tables
from docs.site.schema_tables import Schema

SERVICES = ("gateway", "ingest", "trainer", "evaluator", "review")
_METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Notes:
    """What a route's handler says that the schema does not: its docstring and the scope it asks for."""

    text: str
    scope: str


def page(service: str) -> str:
    """The Markdown page of one service."""
    app = application(service)
    schema = json.loads(encode_json(app.openapi_schema.to_schema(), serializer=get_serializer(app.type_encoders)))
    schemas: dict[str, Schema] = schema.get("components", {}).get("schemas", {})
    notes = _notes(app)
    routes = [
        (path, method, operation)
        for path, item in schema["paths"].items()
        for method, operation in item.items()
        if method in _METHODS and path != "/metrics"
    ]
    lines = [*_introduction(service), *_overview(routes, notes)]
    for path, method, operation in routes:
        lines += _route(path, method, operation, notes.get((path, method)), schemas)
    lines += _schemas(routes, schemas)
    return "\n".join(lines) + "\n"


def application(service: str) -> Litestar:
    """The service's Litestar application, built with default settings and connected to nothing."""
    settings = importlib.import_module(f"services.{service}.config").Settings()
    built = importlib.import_module(f"services.{service}.app").build(settings)
    # The gateway wraps its Litestar application.
    return built if isinstance(built, Litestar) else built.application


def _introduction(service: str) -> list[str]:
    return [
        f"# HTTP API of {service}",
        "",
        f"Generated from the OpenAPI schema of {service}; a running service has it at `/schema/openapi.json`.",
        "Send your key as `Authorization: Bearer <key>`. `/healthz`, `/readyz` and `/metrics` need no key.",
        "",
    ]


def _overview(routes: list[tuple[str, str, Any]], notes: dict[tuple[str, str], Notes]) -> list[str]:
    lines = ["| route | scope | what it does |", "|---|---|---|"]
    for path, method, operation in routes:
        note = notes.get((path, method), Notes("", ""))
        summary = schema_tables.escape(note.text.partition("\n\n")[0]) or operation.get("summary", "")
        lines.append(f"| [`{method.upper()} {path}`](#{_anchor(path, method)}) | {note.scope} | {summary} |")
    return [*lines, ""]


def _route(path: str, method: str, operation: Any, note: Notes | None, schemas: dict[str, Schema]) -> list[str]:
    lines = [f"## {method.upper()} {path} {{ #{_anchor(path, method)} }}", ""]
    if note and note.text:
        lines += schema_tables.paragraphs(note.text)
    if note and note.scope:
        lines += [f"Scope: `{note.scope}`", ""]
    lines += _parameters(operation.get("parameters", []))
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        lines += _content(f"Request body, `{media_type}`", content.get("schema", {}), schemas)
    for status, response in operation.get("responses", {}).items():
        if status.startswith("2"):
            for media_type, content in response.get("content", {}).items():
                lines += _content(f"Response {status}, `{media_type}`", content.get("schema", {}), schemas)
    return lines


def _parameters(parameters: list[Any]) -> list[str]:
    if not parameters:
        return []
    lines = ["| parameter | in | type | required | limits and default |", "|---|---|---|---|---|"]
    for parameter in parameters:
        schema = parameter.get("schema", {})
        cells = [f"`{parameter['name']}`", parameter["in"], schema_tables.type_of(schema)]
        cells += ["yes" if parameter.get("required") else "", schema_tables.limits_of(schema)]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def _content(title: str, schema: Schema, schemas: dict[str, Schema]) -> list[str]:
    if not schema:
        return []
    lines = [f"{title}: {schema_tables.type_of(schema)}", ""]
    return lines + schema_tables.properties(schema)


def _schemas(routes: list[tuple[str, str, Any]], schemas: dict[str, Schema]) -> list[str]:
    used = schema_tables.referenced([operation for _, _, operation in routes], schemas)
    lines = ["## Objects", ""] if used else []
    for name in sorted(used):
        lines += schema_tables.section(name, schemas[name])
    return lines


def _notes(app: Litestar) -> dict[tuple[str, str], Notes]:
    found: dict[tuple[str, str], Notes] = {}
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            if isinstance(handler, HTTPRouteHandler):
                note = Notes(inspect.getdoc(handler.fn) or "", _scope(handler))
                found |= {(route.path_format, method.lower()): note for method in handler.http_methods}
    return found


def _scope(handler: HTTPRouteHandler) -> str:
    """The scopes in the closures of the guards that `shared.web.allow` made."""
    # Litestar wraps a plain function in an object that has it as `func`.
    guards = [getattr(guard, "func", guard) for guard in handler.resolve_guards()]
    scopes = [inspect.getclosurevars(guard).nonlocals.get("scope") for guard in guards if inspect.isfunction(guard)]
    return ", ".join(str(scope) for scope in scopes if scope)


def _anchor(path: str, method: str) -> str:
    words = "".join(letter if letter.isalnum() else "-" for letter in path)
    return f"{method}{words}".rstrip("-").lower()
