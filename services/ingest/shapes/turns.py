"""The order of messages in a conversation."""

from collections.abc import Sequence

from services.ingest.shapes.canonical import Message
from services.ingest.shapes.findings import RowReport

_ORDER = "the order is: system (or none), then user and assistant in turns"


def check_conversation(messages: Sequence[Message], report: RowReport, field: str = "messages") -> None:
    """A system message only first; then the user and the assistant in turns, from a question to an answer."""
    if not _check_turns(messages, report, field):
        return
    if not messages or messages[-1].role != "assistant":
        report.error(
            "no_answer", field, "must end with an answer of the assistant", "add it, or remove the last message"
        )
    elif all(message.weight == 0 for message in messages if message.role == "assistant"):
        reason = "no answer is learned: each has weight 0"
        report.error("nothing_to_learn", field, reason, "give an answer the weight 1, or remove the row")


def check_question(messages: Sequence[Message], report: RowReport, field: str) -> None:
    """As a conversation, up to the user's last message or a tool's result."""
    if _check_turns(messages, report, field) and (not messages or messages[-1].role not in ("user", "tool")):
        report.error("no_question", field, "must end with a message of the user", "remove the answers after it")


def _check_turns(messages: Sequence[Message], report: RowReport, field: str) -> bool:
    """Whether all messages stand where they may; the first that does not is reported."""
    previous = "system"
    open_calls: set[str] = set()
    for place, message in enumerate(messages):
        where = f"{field}[{place}].role"
        if message.role == "system":
            if place:
                report.error("late_system", where, "a system message can only be the first", "move it to the front")
                return False
            continue
        if message.role not in _expected(previous, bool(open_calls)):
            expected = " or ".join(repr(role) for role in _expected(previous, bool(open_calls)))
            report.error("wrong_turn", where, f"is '{message.role}', expected {expected}", _ORDER)
            return False
        if message.role == "tool" and message.tool_call_id not in open_calls:
            fix = "name the id of a call in the assistant's message before it"
            report.error("unknown_call", f"{field}[{place}].tool_call_id", "does not answer an open call", fix)
            return False
        if message.role == "assistant":
            open_calls = {call.id for call in message.tool_calls}
        open_calls.discard(message.tool_call_id)
        previous = message.role
    return True


def _expected(previous: str, calls_open: bool) -> tuple[str, ...]:
    if calls_open:
        return ("tool",)
    if previous == "tool":
        return ("assistant",)
    return ("assistant",) if previous == "user" else ("user",)
