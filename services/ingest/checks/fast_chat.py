"""Plain chats in JSON Lines, checked many at a time: any doubt sends a row the slow way, which reports."""

from typing import Literal

import msgspec

from services.ingest.checks.batch import Batch
from services.ingest.shapes.canonical import Message
from services.ingest.shapes.findings import RowReport
from services.ingest.shapes.turns import check_conversation


class _Message(msgspec.Struct, forbid_unknown_fields=True):
    role: Literal["system", "user", "assistant"]
    content: str


class _Chat(msgspec.Struct, forbid_unknown_fields=True):
    messages: list[_Message]


_DECODER = msgspec.json.Decoder(_Chat)
_ENCODER = msgspec.json.Encoder()
_NO_KEYS = (b" :", b"\t:", b"\r:", b"\\u0000", b"\x00")
_orders: dict[tuple[str, ...], bool] = {("user", "assistant"): True}


def read_plain_chats(first: int, content: bytes) -> Batch | None:
    """The rows of a block of lines; None when not every line is certain to be a good plain chat."""
    if any(mark in content for mark in _NO_KEYS):
        return None
    try:
        chats = _DECODER.decode_lines(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    # As many places that look like keys as there are keys: none is repeated.
    if content.count(b'":') != sum(1 + 2 * len(chat.messages) for chat in chats):
        return None
    if len(chats) != content.count(b"\n") + (not content.endswith(b"\n")):
        return None
    prompts: list[str] = []
    answers: list[str] = []
    for chat in chats:
        messages = chat.messages
        said = [one.content for one in messages]
        if not _in_order(tuple([one.role for one in messages])) or not all(said) or any(map(str.isspace, said)):
            return None
        answers.append(said.pop())
        prompts.append(said[0] if len(said) == 1 else "\n".join(said[messages[0].role == "system" :]))
    lines = _ENCODER.encode_lines(chats).split(b"\n")[:-1]
    return Batch("chat", list(range(first, first + len(chats))), lines, prompts, answers)


def _in_order(roles: tuple[str, ...]) -> bool:
    known = _orders.get(roles)
    if known is None:
        report = RowReport(0)
        check_conversation([Message(role, "x") for role in roles], report)  # type: ignore[arg-type]
        known = not report.refused
        if len(_orders) < 10_000:
            _orders[roles] = known
    return known
