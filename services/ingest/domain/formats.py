"""The formats that a row may have, and the example that a row of each stands for."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Set
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from services.ingest.domain.examples import Conversation, Message, PlainText

Filled = Annotated[str, Field(pattern=r"\S")]
Turn = Annotated[tuple[Filled, Filled], Field(strict=False)]


class Row(BaseModel, ABC):
    """A row of one format. What no format knows is passed over."""

    model_config = ConfigDict(strict=True, frozen=True)

    NAME: ClassVar[str]

    @classmethod
    def is_told_by(cls, keys: Set[str]) -> bool:
        """Whether a row with these keys is meant to be of this format: it has the first of its keys."""
        return next(iter(cls.model_fields)) in keys

    @classmethod
    def described(cls) -> str:
        """The keys that a row must have."""
        return " and ".join(map(repr, cls.required()))

    @classmethod
    def required(cls) -> list[str]:
        return [name for name, field in cls.model_fields.items() if field.is_required()]

    @abstractmethod
    def example(self) -> Conversation | PlainText:
        """What it teaches."""


class ChatRow(Row):
    """OpenAI's chat format."""

    NAME = "OpenAI's chat format"

    messages: tuple[Message, ...] = Field(min_length=1, strict=False)

    def example(self) -> Conversation:
        return Conversation(messages=self.messages)


class InstructionRow(Row):
    """Alpaca's format; `input` is what the instruction is about, `history` the turns before."""

    NAME = "Alpaca's format"

    instruction: Filled
    output: Filled
    input: str = ""
    system: str = ""
    history: tuple[Turn, ...] = Field(default=(), strict=False)

    def example(self) -> Conversation:
        asked = f"{self.instruction}\n{self.input}" if self.input.strip() else self.instruction
        return _conversation([*self.history, (asked, self.output)], self.system)


class CompletionRow(Row):
    """A prompt and what follows it."""

    NAME = "prompts and completions"

    prompt: Filled
    completion: Filled

    def example(self) -> Conversation:
        return _conversation([(self.prompt, self.completion)])


class PairRow(Row):
    """An input and the output that is wanted for it."""

    NAME = "inputs and outputs"

    input: Filled
    output: Filled

    def example(self) -> Conversation:
        return _conversation([(self.input, self.output)])


class TextRow(Row):
    """A text for continued pre-training, and nothing beside it."""

    model_config = ConfigDict(extra="forbid")

    NAME = "continued pre-training"

    text: Filled

    def example(self) -> PlainText:
        return PlainText(text=self.text)


# Of two formats with a key in common the one that is told by a key of its own comes first.
FORMATS: tuple[type[Row], ...] = (ChatRow, InstructionRow, CompletionRow, PairRow, TextRow)
_LATER = {"conversations", "chosen", "rejected", "preferred_output", "non_preferred_output", "tools", "functions"}
TELLING_KEYS = frozenset(_LATER.union(*(kind.required() for kind in FORMATS)))
"""Keys that a row of a format without them must not have: it would fit two."""


def _conversation(turns: Iterable[tuple[str, str]], system: str = "") -> Conversation:
    messages = [Message(role="system", content=system)] if system.strip() else []
    for question, answer in turns:
        messages += [Message(role="user", content=question), Message(role="assistant", content=answer)]
    return Conversation(messages=tuple(messages))
