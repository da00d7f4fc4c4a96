"""ShareGPT's conversations: `from` and `value`, the person at odd places."""

import json
from typing import Any

from services.ingest.shapes.calls import check_defined, read_tools
from services.ingest.shapes.canonical import Conversation, FunctionCall, Message, Row, ToolCall
from services.ingest.shapes.findings import RowReport
from services.ingest.shapes.nested import parse_nested
from services.ingest.shapes.shape import Shape, optional_text
from services.ingest.shapes.turns import check_conversation

_ROLES = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "function_call": "call",
    "observation": "tool",
    "tool": "tool",
}
_FIX = 'write {"from": "human", "value": "…"}, with one of human, gpt, system, function_call, observation'


def _read(row: dict[str, Any], report: RowReport, flat: bool) -> Row | None:
    turns = parse_nested(row.get("conversations"), "conversations", report, flat=flat)
    tools = read_tools(row.get("tools"), "tools", report, flat=flat)
    system = optional_text(row, "system", report)
    messages = [Message("system", system)] if system.strip() else []
    if turns is not None and not (isinstance(turns, list) and turns):
        report.error("wrong_type", "conversations", "is not a list of turns", _FIX)
    for place, turn in enumerate(turns if isinstance(turns, list) else []):
        if (message := _message(turn, place, messages, report)) is not None:
            messages.append(message)
    if report.refused:
        return None
    check_conversation(messages, report, "conversations")
    check_defined(tuple(messages), tools, report)
    return Conversation(messages=tuple(messages), tools=tools)


def _message(turn: Any, place: int, before: list[Message], report: RowReport) -> Message | None:
    field = f"conversations[{place}]"
    if not isinstance(turn, dict) or not isinstance(turn.get("value"), str):
        report.error("wrong_type", field, "is not a turn with a text as `value`", _FIX)
        return None
    role, value = _ROLES.get(str(turn.get("from"))), turn["value"]
    for key in turn.keys() - {"from", "value"}:
        report.notice("unknown_key", f"{field}.{key}", "is not a field of a turn; not used", "remove it")
    if role is None:
        report.error("unknown_role", f"{field}.from", f"is {str(turn.get('from'))[:40]!r}", _FIX)
        return None
    if not value.strip() and role != "tool":
        report.error("empty", f"{field}.value", "is empty", "write the text, or remove the row")
    numbered = sum(len(message.tool_calls) for message in before)
    if role == "call":
        return _call(value, f"call_{numbered + 1}", field, report)
    if role == "tool":
        return Message("tool", value, tool_call_id=f"call_{numbered}")
    return Message(role, value)  # type: ignore[arg-type]


def _call(value: str, call_id: str, field: str, report: RowReport) -> Message | None:
    try:
        call = json.loads(value)
        name, arguments = call["name"], call["arguments"]
        arguments = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
        if not isinstance(name, str) or not isinstance(json.loads(arguments), dict):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        report.error("bad_call", f"{field}.value", "is not a call", 'write {"name": "…", "arguments": {…}} as JSON')
        return None
    return Message("assistant", "", tool_calls=(ToolCall(call_id, "function", FunctionCall(name, arguments)),))


def _write(row: Row) -> dict[str, Any] | None:
    if not isinstance(row, Conversation) or row.parallel_tool_calls is not None:
        return None
    turns: list[dict[str, str]] = []
    for message in row.messages:
        if (
            message.name
            or message.weight != 1
            or len(message.tool_calls) > 1
            or (message.tool_calls and message.content)
        ):
            return None
        turns.append(_turn(message))
    made: dict[str, Any] = {"conversations": turns}
    if turns[0]["from"] == "system":
        made = {"conversations": turns[1:], "system": turns[0]["value"]}
    return {**made, "tools": row.tools} if row.tools else made


def _turn(message: Message) -> dict[str, str]:
    if message.tool_calls:
        function = message.tool_calls[0].function
        return {"from": "function_call", "value": json.dumps({"name": function.name, "arguments": function.arguments})}
    names = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}
    return {"from": names[message.role], "value": message.content}


SHAREGPT = Shape(
    "sharegpt",
    "ShareGPT's format",
    required=("conversations",),
    optional=("system", "tools"),
    read=_read,
    write=_write,
)
