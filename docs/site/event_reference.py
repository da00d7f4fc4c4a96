"""The event contract as a page: `docs/asyncapi.json`, and who subscribes to each event."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from docs.site import schema_tables
from docs.site.schema_tables import Schema
from shared import topology

INTRODUCTION = """# Events

Each event is a [CloudEvent](https://cloudevents.io) in a NATS JetStream stream; its subject is its type. The data
of each type is below. This page is generated from [asyncapi.json](../asyncapi.json), which is generated from the
event classes in `shared/`.

Fields are only added, never changed. Read an event by the fields you need, and ignore the ones you do not know.

"""


def page(contract: Path) -> str:
    """The Markdown page for the AsyncAPI document at `contract`."""
    document = json.loads(contract.read_text())
    schemas: dict[str, Schema] = document["components"]["schemas"]
    events = {name: _data_schema(document, name) for name in sorted(document["channels"])}
    parts = schema_tables.referenced(list(events.values()), schemas)
    lines = [*_overview(document, events), *_events(document, events), "## Parts of events", ""]
    for name in sorted(parts - {schema_tables.name_of(each["$ref"]) for each in events.values()}):
        lines += schema_tables.section(name, schemas[name])
    return INTRODUCTION + "\n".join(lines) + "\n"


def _data_schema(document: dict[str, Any], event: str) -> Schema:
    payload = document["components"]["messages"][f"{event}:Message"]["payload"]
    envelope = document["components"]["schemas"][schema_tables.name_of(payload["$ref"])]
    data: Schema = envelope["properties"]["data"]
    return data.get("allOf", [data])[0]


def _overview(document: dict[str, Any], events: dict[str, Schema]) -> list[str]:
    subscribers = _subscribers()
    lines = ["| event | subscribers | what happened |", "|---|---|---|"]
    for name in events:
        summary = schema_tables.escape(document["channels"][name].get("description", "")).partition(". ")[0]
        lines.append(f"| [`{name}`](#{_anchor(name)}) | {', '.join(subscribers[name])} | {summary.rstrip('.')} |")
    return [*lines, ""]


def _subscribers() -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for consumer in topology.CONSUMERS:
        found[consumer.event.type].append(consumer.service)
    return found


def _events(document: dict[str, Any], events: dict[str, Schema]) -> list[str]:
    schemas = document["components"]["schemas"]
    lines: list[str] = []
    for name, reference in events.items():
        schema = schemas[schema_tables.name_of(reference["$ref"])]
        lines += [f"## {name} {{ #{_anchor(name)} }}", "", *schema_tables.paragraphs(schema.get("description", ""))]
        lines += schema_tables.properties(schema) or ["It carries no fields.", ""]
    return lines


def _anchor(event: str) -> str:
    return f"event-{event.replace('.', '-')}"
