"""OpenAI's chat rows."""

from typing import Any

import msgspec

from services.ingest.shapes.calls import check_defined, read_tools
from services.ingest.shapes.canonical import Conversation, Row
from services.ingest.shapes.findings import RowReport
from services.ingest.shapes.messages import read_messages
from services.ingest.shapes.shape import Shape
from services.ingest.shapes.turns import check_conversation


def _read(row: dict[str, Any], report: RowReport, flat: bool) -> Row | None:
    messages = read_messages(row.get("messages"), "messages", report, flat=flat)
    tools = read_tools(row.get("tools"), "tools", report, flat=flat)
    parallel = read_parallel(row, report)
    if report.refused:
        return None
    check_conversation(messages, report)
    check_defined(messages, tools, report)
    return Conversation(messages=messages, tools=tools, parallel_tool_calls=parallel)


def read_parallel(row: dict[str, Any], report: RowReport) -> bool | None:
    """`parallel_tool_calls`, which is kept; a model is not trained on it."""
    value = row.get("parallel_tool_calls")
    if isinstance(value, str) and value.lower() in ("true", "false"):
        value = value.lower() == "true"
    if value is None or value == "":
        return None
    if not isinstance(value, bool):
        report.error("wrong_type", "parallel_tool_calls", "is not true or false", "write true or false")
        return None
    report.notice("not_learned", "parallel_tool_calls", "is kept, but models do not see it", "set it in requests")
    return value


def _write(row: Row) -> dict[str, Any] | None:
    return msgspec.to_builtins(row) if isinstance(row, Conversation) else None


CHAT = Shape(
    "chat",
    "OpenAI's chat format",
    required=("messages",),
    optional=("tools", "parallel_tool_calls"),
    read=_read,
    write=_write,
)
