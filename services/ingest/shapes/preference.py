"""Preferences: two answers to a question, or one with a label."""

from typing import Any

import msgspec

from services.ingest.shapes.calls import read_tools
from services.ingest.shapes.canonical import LabelledAnswer, Message, Preference, Question, Row
from services.ingest.shapes.findings import RowReport
from services.ingest.shapes.messages import read_messages
from services.ingest.shapes.nested import parse_nested
from services.ingest.shapes.shape import Shape, filled
from services.ingest.shapes.turns import check_conversation, check_question

_LABELS = {"true": True, "false": False, "1": True, "0": False}


def _read_openai(row: dict[str, Any], report: RowReport, flat: bool) -> Row | None:
    value = parse_nested(row.get("input"), "input", report, flat=flat)
    if value is not None and not isinstance(value, dict):
        report.error("wrong_type", "input", "is not an object", 'write {"messages": [{"role": "user", …}]}')
    value = value if isinstance(value, dict) else {}
    messages = () if report.refused else read_messages(value.get("messages"), "input.messages", report)
    tools = read_tools(value.get("tools"), "input.tools", report, flat=False)
    chosen = read_messages(row.get("preferred_output"), "preferred_output", report, flat=flat)
    rejected = read_messages(row.get("non_preferred_output"), "non_preferred_output", report, flat=flat)
    for key in value.keys() - {"messages", "tools", "parallel_tool_calls"}:
        report.notice("unknown_key", f"input.{key}", "is not used", "remove it")
    return _checked(Question(messages, tools, value.get("parallel_tool_calls")), chosen, rejected, report)


def _read_texts(row: dict[str, Any], report: RowReport, _flat: bool) -> Row | None:
    question = _said(row, "prompt", "user", report)
    return _checked(
        Question(question),
        _said(row, "chosen", "assistant", report),
        _said(row, "rejected", "assistant", report),
        report,
    )


def _read_rejected_response(row: dict[str, Any], report: RowReport, flat: bool) -> Row | None:
    messages = read_messages(row.get("messages"), "messages", report, flat=flat)
    rejected = filled(row, "rejected_response", report)
    if report.refused:
        return None
    check_conversation(messages, report)
    return _checked(Question(messages[:-1]), messages[-1:], (Message("assistant", rejected),), report)


def _said(row: dict[str, Any], key: str, role: str, report: RowReport) -> tuple[Message, ...]:
    """A text as one message, or a list of messages as it is."""
    if isinstance(row.get(key), list):
        return read_messages(row[key], key, report)
    return (Message(role, filled(row, key, report)),)  # type: ignore[arg-type]


def _checked(
    question: Question, chosen: tuple[Message, ...], rejected: tuple[Message, ...], report: RowReport
) -> Row | None:
    if report.refused:
        return None
    check_question(question.messages, report, "input.messages")
    for field, answer in (("preferred_output", chosen), ("non_preferred_output", rejected)):
        if len(answer) != 1 or answer[0].role != "assistant":
            report.error("bad_answer", field, "is not one message of the assistant", "write one assistant message")
    if chosen == rejected:
        report.error("same_answers", "non_preferred_output", "equals the preferred one", "remove the row")
    return Preference(question, chosen, rejected)


def _read_unpaired(row: dict[str, Any], report: RowReport, _flat: bool) -> Row | None:
    question, answer = _said(row, "prompt", "user", report), _said(row, "completion", "assistant", report)
    label = row.get("label")
    if isinstance(label, str):
        label = _LABELS.get(label.strip().lower())
    if not isinstance(label, bool) and label not in (0, 1):
        report.error("bad_label", "label", "is not true or false", "write true for a good answer, false for a bad one")
    if report.refused:
        return None
    check_question(question, report, "prompt")
    return LabelledAnswer(Question(question), answer, bool(label))


def _write_openai(row: Row) -> dict[str, Any] | None:
    return msgspec.to_builtins(row) if isinstance(row, Preference) else None


def _write_texts(row: Row) -> dict[str, Any] | None:
    if not isinstance(row, Preference) or (prompt := _plain(row.input)) is None:
        return None
    chosen, rejected = _text(row.preferred_output), _text(row.non_preferred_output)
    return None if chosen is None or rejected is None else {"prompt": prompt, "chosen": chosen, "rejected": rejected}


def _write_rejected_response(row: Row) -> dict[str, Any] | None:
    if not isinstance(row, Preference) or row.input.tools or (rejected := _text(row.non_preferred_output)) is None:
        return None
    if row.input.parallel_tool_calls is not None or row.preferred_output[0].weight != 1:
        return None
    return {
        "messages": msgspec.to_builtins((*row.input.messages, *row.preferred_output)),
        "rejected_response": rejected,
    }


def _write_unpaired(row: Row) -> dict[str, Any] | None:
    if not isinstance(row, LabelledAnswer) or (prompt := _plain(row.input)) is None:
        return None
    answer = _text(row.output)
    return None if answer is None else {"prompt": prompt, "completion": answer, "label": row.label}


def _plain(question: Question) -> str | None:
    single = len(question.messages) == 1 and not question.tools and question.parallel_tool_calls is None
    return _text(question.messages) if single else None


def _text(messages: tuple[Message, ...]) -> str | None:
    [message] = messages[-1:]
    plain = not (message.name or message.tool_calls or message.weight != 1)
    return message.content if plain and len(messages) == 1 else None


PREFERENCE_OPENAI = Shape(
    "preference_openai",
    "OpenAI's preferences",
    required=("input", "preferred_output", "non_preferred_output"),
    optional=(),
    read=_read_openai,
    write=_write_openai,
)
PREFERENCE = Shape(
    "preference",
    "preferences as texts",
    required=("prompt", "chosen", "rejected"),
    optional=(),
    read=_read_texts,
    write=_write_texts,
)
REJECTED_RESPONSE = Shape(
    "rejected_response",
    "chats with a rejected answer",
    required=("messages", "rejected_response"),
    optional=(),
    read=_read_rejected_response,
    write=_write_rejected_response,
)
UNPAIRED = Shape(
    "unpaired",
    "answers with a label",
    required=("prompt", "completion", "label"),
    optional=(),
    read=_read_unpaired,
    write=_write_unpaired,
)
