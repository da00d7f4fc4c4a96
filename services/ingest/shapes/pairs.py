"""Rows of a question and an answer: Alpaca's instructions, prompts with completions, inputs with outputs."""

from typing import Any

from services.ingest.shapes.canonical import Conversation, Message, Row
from services.ingest.shapes.findings import RowReport
from services.ingest.shapes.nested import parse_nested
from services.ingest.shapes.shape import Reader, Shape, Writer, filled, optional_text

Turns = list[tuple[str, str]]


def _read_alpaca(row: dict[str, Any], report: RowReport, flat: bool) -> Row | None:
    instruction, output = filled(row, "instruction", report), filled(row, "output", report)
    about, system = optional_text(row, "input", report), optional_text(row, "system", report)
    history = _history(row.get("history"), report, flat)
    asked = f"{instruction}\n{about}" if about.strip() else instruction
    return None if report.refused else conversation([*history, (asked, output)], system)


def _history(value: Any, report: RowReport, flat: bool) -> Turns:
    if value is None or value == "" or value == []:
        return []
    pairs = parse_nested(value, "history", report, flat=flat)
    if pairs is None:
        return []
    if not isinstance(pairs, list):
        report.error("wrong_type", "history", "is not a list of pairs", 'write [["question", "answer"], …]')
        return []
    for place, pair in enumerate(pairs):
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(t, str) and t.strip() for t in pair)):
            reason = "is not a pair of a question and an answer"
            report.error("bad_pair", f"history[{place}]", reason, 'write ["question", "answer"]')
    return [] if report.refused else [(pair[0], pair[1]) for pair in pairs]


def _write_alpaca(row: Row) -> dict[str, Any] | None:
    if (plain := plain_turns(row)) is None:
        return None
    system, turns = plain
    made: dict[str, Any] = {"instruction": turns[-1][0], "input": "", "output": turns[-1][1]}
    if system:
        made["system"] = system
    return {**made, "history": [list(turn) for turn in turns[:-1]]} if turns[1:] else made


def conversation(turns: Turns, system: str = "") -> Conversation:
    """A conversation of plain texts."""
    messages = [Message("system", system)] if system.strip() else []
    for question, answer in turns:
        messages += [Message("user", question), Message("assistant", answer)]
    return Conversation(messages=tuple(messages))


def plain_turns(row: Row) -> tuple[str, Turns] | None:
    """System text and turns of a conversation that has nothing but texts; None for any other row."""
    if not isinstance(row, Conversation) or row.tools or row.parallel_tool_calls is not None:
        return None
    if any(one.name or one.tool_calls or one.weight != 1 or one.role == "tool" for one in row.messages):
        return None
    system = row.messages[0].content if row.messages[0].role == "system" else ""
    said = [one.content for one in row.messages if one.role != "system"]
    return system, list(zip(said[::2], said[1::2], strict=True))


def _pair(name: str, title: str, question: str, answer: str) -> Shape:
    def read(row: dict[str, Any], report: RowReport, _flat: bool) -> Row | None:
        asked, answered = filled(row, question, report), filled(row, answer, report)
        return None if report.refused else conversation([(asked, answered)])

    def write(row: Row) -> dict[str, Any] | None:
        plain = plain_turns(row)
        if plain is None or plain[0] or len(plain[1]) != 1:
            return None
        return {question: plain[1][0][0], answer: plain[1][0][1]}

    reader: Reader = read
    writer: Writer = write
    return Shape(name, title, required=(question, answer), optional=(), read=reader, write=writer)


ALPACA = Shape(
    "alpaca",
    "Alpaca's format",
    required=("instruction", "output"),
    optional=("input", "system", "history"),
    read=_read_alpaca,
    write=_write_alpaca,
)
PROMPT_COMPLETION = _pair("prompt_completion", "prompts and completions", "prompt", "completion")
INPUT_OUTPUT = _pair("input_output", "inputs and outputs", "input", "output")
