"""Reads a list of messages as OpenAI defines them, and reports each field that is wrong or not used."""

from typing import Any

from services.ingest.shapes.calls import read_calls
from services.ingest.shapes.canonical import Message
from services.ingest.shapes.findings import RowReport
from services.ingest.shapes.nested import parse_nested

ROLES = ("system", "user", "assistant", "tool")
_KNOWN = {"role", "content", "name", "tool_calls", "tool_call_id", "weight", "refusal"}
_OTHER_ROLES = {
    "developer": "write the role 'system'",
    "function": "write the role 'tool', with the id of the call in `tool_call_id`",
    "human": "write the role 'user'",
    "gpt": "write the role 'assistant'",
    "bot": "write the role 'assistant'",
    "model": "write the role 'assistant'",
}


def read_messages(value: Any, field: str, report: RowReport, *, flat: bool = False) -> tuple[Message, ...]:
    """The messages of one list; those that are wrong are reported and left out."""
    value = parse_nested(value, field, report, flat=flat)
    if not isinstance(value, list):
        if value is not None:
            fix = 'write a list such as [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]'
            report.error("wrong_type", field, "is not a list of messages", fix)
        return ()
    if not value:
        report.error("empty", field, "is an empty list", "write at least a user message and an assistant message")
    read = (_read(one, f"{field}[{place}]", report) for place, one in enumerate(value))
    return tuple(one for one in read if one is not None)


def _read(value: Any, field: str, report: RowReport) -> Message | None:
    if not isinstance(value, dict):
        report.error("wrong_type", field, "is not an object", 'write {"role": "…", "content": "…"}')
        return None
    before = len(report.findings)
    role = _role(value, field, report)
    calls = read_calls(value["tool_calls"], f"{field}.tool_calls", report) if value.get("tool_calls") else ()
    if calls and role != "assistant":
        report.error("call_of_other", f"{field}.tool_calls", f"a {role} message cannot call tools", "move the calls")
    content = _content(value, field, report, may_be_empty=bool(value.get("tool_calls")) or role == "tool")
    message = Message(
        role=role,  # type: ignore[arg-type]
        content=content,
        name=_text(value, "name", field, report),
        tool_calls=calls,
        tool_call_id=_text(value, "tool_call_id", field, report),
        weight=_weight(value, role, field, report),
    )
    _notice_unused(value, message, field, report)
    return None if any(one.severity == "error" for one in report.findings[before:]) else message


def _role(value: dict[str, Any], field: str, report: RowReport) -> str:
    role = value.get("role")
    if role is None:
        report.error("missing", f"{field}.role", "is missing", f"write one of {', '.join(ROLES)}")
    elif role not in ROLES:
        fix = _OTHER_ROLES.get(str(role), "write one of system, user, assistant, tool")
        report.error("unknown_role", f"{field}.role", f"is {str(role)[:40]!r}, not a role", fix)
    return role if isinstance(role, str) else ""


def _content(value: dict[str, Any], field: str, report: RowReport, *, may_be_empty: bool) -> str:
    content = value.get("content")
    if isinstance(content, list):
        content = _joined_parts(content)
    if content is None:
        if not may_be_empty:
            report.error("missing", f"{field}.content", "is missing", "write the text of the message")
        return ""
    if not isinstance(content, str):
        reason = f"is {_type_name(value['content'])}, not text"
        report.error("wrong_type", f"{field}.content", reason, "write the text of the message")
        return ""
    if not may_be_empty and (not content or content.isspace()):
        report.error("empty", f"{field}.content", "is empty", "write the text of the message, or remove the row")
    return content


def _joined_parts(parts: list[Any]) -> str | None:
    """The text of content that is given in parts; None where a part is not text."""
    if parts and all(isinstance(p, dict) and p.get("type") == "text" and isinstance(p.get("text"), str) for p in parts):
        return "".join(part["text"] for part in parts)
    return None


def _text(value: dict[str, Any], key: str, field: str, report: RowReport) -> str:
    found = value.get(key)
    if found is None:
        return ""
    if not isinstance(found, str):
        report.error("wrong_type", f"{field}.{key}", f"is {_type_name(found)}, not text", "write a text")
        return ""
    return found


def _weight(value: dict[str, Any], role: str, field: str, report: RowReport) -> int:
    weight = value.get("weight")
    if weight is None:
        return 1
    if role != "assistant":
        reason = f"a {role} message has no weight: only what the assistant says is learned"
        report.error("weight_of_other", f"{field}.weight", reason, "remove the weight")
        return 1
    if isinstance(weight, bool) or not isinstance(weight, int | float) or weight not in (0, 1):
        fix = "write 1 for an answer to learn, 0 for one that is context only"
        report.error("bad_weight", f"{field}.weight", f"is {repr(weight)[:40]}, not the number 0 or 1", fix)
        return 1
    return int(weight)


def _notice_unused(value: dict[str, Any], message: Message, field: str, report: RowReport) -> None:
    if message.name:
        report.notice("name_not_shown", f"{field}.name", "is kept, but models do not see it", "write it into the text")
    if value.get("refusal"):
        report.error("refusal", f"{field}.refusal", "is not learned", "write the refusal as `content`")
    if value.get("function_call"):
        report.error("function_call", f"{field}.function_call", "is the old form of `tool_calls`", "write `tool_calls`")
    for key in value.keys() - _KNOWN - {"function_call"}:
        if value[key] is not None:
            report.notice("unknown_key", f"{field}.{key}", "is not a field of a message; not used", "remove it")


def _type_name(value: Any) -> str:
    names = {dict: "an object", list: "a list", bool: "true or false", int: "a number", float: "a number", str: "text"}
    return names.get(type(value), "nothing") if value is not None else "null"
