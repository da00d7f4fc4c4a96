"""The one form of a row inside Assay. Equal rows are equal bytes."""

from typing import Any, Literal

import msgspec

Role = Literal["system", "user", "assistant", "tool"]


class FunctionCall(msgspec.Struct, frozen=True):
    """`arguments` is JSON in a text, as OpenAI has it."""

    name: str
    arguments: str


class ToolCall(msgspec.Struct, frozen=True):
    """One call that the assistant makes."""

    id: str
    type: Literal["function"]
    function: FunctionCall


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message. One with `weight` 0 is context and is not learned."""

    role: Role
    content: str
    name: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    weight: int = 1


class Conversation(msgspec.Struct, frozen=True, omit_defaults=True):
    """An optional system message, then user and assistant in turns: the answers are learned."""

    messages: tuple[Message, ...]
    tools: list[Any] = []
    parallel_tool_calls: bool | None = None


class PlainText(msgspec.Struct, frozen=True):
    """A text that is learned as a whole."""

    text: str


class Question(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a preference is about."""

    messages: tuple[Message, ...]
    tools: list[Any] = []
    parallel_tool_calls: bool | None = None


class Preference(msgspec.Struct, frozen=True):
    """Two answers to one question, the first the better one."""

    input: Question
    preferred_output: tuple[Message, ...]
    non_preferred_output: tuple[Message, ...]


class LabelledAnswer(msgspec.Struct, frozen=True):
    """One answer to a question and whether it is a good one."""

    input: Question
    output: tuple[Message, ...]
    label: bool


Row = Conversation | PlainText | Preference | LabelledAnswer
KINDS: dict[str, type[Row]] = {
    "chat": Conversation,
    "text": PlainText,
    "preference": Preference,
    "unpaired": LabelledAnswer,
}
_ENCODER = msgspec.json.Encoder()
_DECODERS = {kind: msgspec.json.Decoder(row) for kind, row in KINDS.items()}


def kind_of(row: Row) -> str:
    """The name of a row's kind."""
    return next(kind for kind, cls in KINDS.items() if type(row) is cls)


def encode(row: Row) -> bytes:
    """The row as one line, without the line break."""
    return _ENCODER.encode(row)


def decode(kind: str, line: bytes) -> Row:
    """The row of a line that `encode` made."""
    return _DECODERS[kind].decode(line)


def prompt_and_answer(row: Row) -> tuple[str, str]:
    """The whole question without system messages, and the answer that is learned last, both as text."""
    if isinstance(row, PlainText):
        return row.text, ""
    if isinstance(row, Conversation):
        question, answer = row.messages[:-1], row.messages[-1:]
    elif isinstance(row, Preference):
        question, answer = row.input.messages, row.preferred_output
    else:
        question, answer = row.input.messages, row.output
    return "\n".join(_said(one) for one in question if one.role != "system"), "\n".join(map(_said, answer))


def _said(message: Message) -> str:
    if not message.tool_calls:
        return message.content
    calls = (f"{call.function.name}({call.function.arguments})" for call in message.tool_calls)
    return "\n".join([message.content, *calls])
