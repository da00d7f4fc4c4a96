"""The calls and fields of the installed `openai` SDK, read from the SDK's own types."""

import inspect
import typing
from collections.abc import Iterator
from dataclasses import dataclass

import openai
import typing_extensions
from pydantic import BaseModel

RESOURCES = (
    "files",
    "uploads",
    "uploads.parts",
    "models",
    "fine_tuning.jobs",
    "fine_tuning.jobs.checkpoints",
    "fine_tuning.checkpoints.permissions",
    "fine_tuning.alpha.graders",
    "chat.completions",
    "chat.completions.messages",
    "webhooks",
    "webhooks.event_types",
)
# Options of the SDK's HTTP client that every call has.
_CLIENT_OPTIONS = {"self", "extra_headers", "extra_query", "extra_body", "timeout"}
# A notification is one of many types, told apart by `type`; the page lists the types.
_NOTIFICATION = "WebhookEvent"


@dataclass(frozen=True)
class Call:
    """One method of the SDK: its parameters, and the names of the objects that it can return."""

    name: str
    parameters: tuple[str, ...]
    returns: tuple[str, ...]


@dataclass(frozen=True)
class Surface:
    """All calls, the fields of all objects by name, and the types of webhook notifications."""

    version: str
    calls: tuple[Call, ...]
    objects: dict[str, tuple[str, ...]]
    notifications: tuple[str, ...]


def surface() -> Surface:
    """The surface of the installed SDK."""
    client = openai.OpenAI(api_key="none", base_url="http://localhost")
    calls: list[Call] = []
    objects: dict[str, tuple[str, ...]] = {}
    for resource in RESOURCES:
        target: object = client
        for part in resource.split("."):
            target = getattr(target, part)
        for name, method in inspect.getmembers(type(target), inspect.isfunction):
            if not name.startswith("_"):
                hints = typing.get_type_hints(method)
                models = _models(hints.pop("return", None))
                calls.append(_call(f"{resource}.{name}", hints, models))
                objects |= {_name(model): tuple(_dotted(model, "", (model,))) for model in models}
    own = {name: fields for name, fields in objects.items() if not name.endswith(_NOTIFICATION)}
    return Surface(openai.__version__, tuple(calls), dict(sorted(own.items())), _notifications())


def _call(name: str, hints: dict[str, object], models: list[type[BaseModel]]) -> Call:
    parameters: dict[str, None] = {}
    for parameter, annotation in hints.items():
        if parameter not in _CLIENT_OPTIONS:
            parameters[parameter] = None
            # Messages and tools of a chat have many shapes; the page describes them in words.
            if not name.startswith("chat."):
                parameters |= dict.fromkeys(_nested(annotation, f"{parameter}."))
    returned = tuple(_name(model) for model in models if not _name(model).endswith(_NOTIFICATION))
    return Call(name, tuple(parameters), returned)


def _nested(annotation: object, prefix: str) -> Iterator[str]:
    """The members of the TypedDicts of an annotation by their dotted names."""
    if typing_extensions.is_typeddict(annotation):
        for name, member in typing.get_type_hints(annotation).items():
            yield f"{prefix}{name}"
            yield from _nested(member, f"{prefix}{name}.")
    for part in typing.get_args(annotation):
        yield from _nested(part, prefix)


def _name(model: type[BaseModel]) -> str:
    return model.__name__.partition("[")[0]


def _models(annotation: object) -> list[type[BaseModel]]:
    """The pydantic models of an annotation: inside pages, streams, lists and unions too."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel) and not typing.get_args(annotation):
        generic = getattr(annotation, "__pydantic_generic_metadata__", {}).get("args", ())
        return [model for part in generic for model in _models(part)] or [annotation]
    return [model for part in typing.get_args(annotation) for model in _models(part)]


def _dotted(model: type[BaseModel], prefix: str, seen: tuple[type[BaseModel], ...]) -> Iterator[str]:
    names: dict[str, None] = {}
    for name, field in model.model_fields.items():
        names[f"{prefix}{name}"] = None
        for nested in _models(field.annotation):
            if nested not in seen:
                names |= dict.fromkeys(_dotted(nested, f"{prefix}{name}.", (*seen, nested)))
    yield from names


def _notifications() -> tuple[str, ...]:
    found: set[str] = set()
    for model in _models(openai.types.webhooks.UnwrapWebhookEvent):
        found |= set(typing.get_args(model.model_fields["type"].annotation))
    return tuple(sorted(found))
