"""Reads tool calls and the tools that a row defines."""

import json
from typing import Any

from services.ingest.shapes.canonical import FunctionCall, Message, ToolCall
from services.ingest.shapes.findings import RowReport
from services.ingest.shapes.nested import parse_nested

_CALL_FIX = 'write {"id": "…", "type": "function", "function": {"name": "…", "arguments": "{…}"}}'
_TOOL_FIX = 'write {"type": "function", "function": {"name": "…", "parameters": {…}}}'


def read_calls(value: Any, field: str, report: RowReport) -> tuple[ToolCall, ...]:
    """The calls of one message."""
    if not isinstance(value, list):
        report.error("wrong_type", field, "is not a list of calls", f"in a list, {_CALL_FIX}")
        return ()
    calls = [_call(one, f"{field}[{place}]", report) for place, one in enumerate(value)]
    found = tuple(call for call in calls if call is not None)
    if len({call.id for call in found}) < len(found):
        report.error("repeated_call_id", field, "two calls have the same id", "give each call an id of its own")
    return found


def _call(value: Any, field: str, report: RowReport) -> ToolCall | None:
    function = value.get("function") if isinstance(value, dict) else None
    if not isinstance(function, dict) or value.get("type", "function") != "function":
        report.error("bad_call", field, "is not a function call", _CALL_FIX)
        return None
    name, arguments = function.get("name"), function.get("arguments")
    if not isinstance(name, str) or not name:
        report.error("bad_call", f"{field}.function.name", "is missing", _CALL_FIX)
        return None
    if not isinstance(value.get("id"), str) or not value["id"]:
        report.error("bad_call", f"{field}.id", "is missing: tool results refer to it", _CALL_FIX)
        return None
    if isinstance(arguments, dict):
        arguments = json.dumps(arguments, ensure_ascii=False)
    if not isinstance(arguments, str) or not _is_object(arguments):
        report.error("bad_arguments", f"{field}.function.arguments", "is not a JSON object written as text", _CALL_FIX)
        return None
    return ToolCall(id=value["id"], type="function", function=FunctionCall(name=name, arguments=arguments))


def read_tools(value: Any, field: str, report: RowReport, *, flat: bool) -> list[Any]:
    """The tools that the model may call; none where the field is not there."""
    if value is None or value == "":
        return []
    # Tools have free-form schemas, so tables and Parquet hold them as JSON; datasets on hubs do everywhere.
    tools = parse_nested(value, field, report, flat=flat or isinstance(value, str))
    if tools is None:
        return []
    if not isinstance(tools, list):
        report.error("wrong_type", field, "is not a list of tools", f"in a list, {_TOOL_FIX}")
        return []
    for place, tool in enumerate(tools):
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            report.error("bad_tool", f"{field}[{place}]", "is not the definition of a function", _TOOL_FIX)
    return tools


def check_defined(messages: tuple[Message, ...], tools: list[Any], report: RowReport) -> None:
    """Tell of calls to tools that the row does not define."""
    defined = {tool["function"]["name"] for tool in tools if isinstance(tool, dict) and "function" in tool}
    for place, message in enumerate(messages):
        for call in message.tool_calls:
            if call.function.name not in defined:
                reason = f"calls {call.function.name[:60]!r}, which `tools` does not define"
                report.notice("undefined_tool", f"messages[{place}].tool_calls", reason, "define it in `tools`")


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
