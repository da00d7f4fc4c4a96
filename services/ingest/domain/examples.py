"""Training examples, whatever format they came in."""

import hashlib
import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Message(BaseModel):
    """One message of a conversation."""

    model_config = ConfigDict(strict=True, frozen=True)

    role: Literal["system", "user", "assistant"]
    content: str = Field(min_length=1)


class Example(BaseModel):
    """What all examples have."""

    model_config = ConfigDict(strict=True, frozen=True)

    def line(self) -> bytes:
        """The example as one canonical line, so that equal examples are equal bytes."""
        return json.dumps(self.model_dump(), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


class Conversation(Example):
    """An optional system message, then user and assistant in turns: the answers are learned."""

    messages: tuple[Message, ...] = Field(min_length=1, strict=False)

    def prompt_key(self) -> bytes:
        """A digest of everything before the last answer."""
        question = [message.model_dump() for message in self.messages[:-1]]
        return hashlib.sha256(json.dumps(question, ensure_ascii=False).encode()).digest()


class PlainText(Example):
    """A text that is learned as a whole, with no question and no answer."""

    text: str

    def prompt_key(self) -> bytes:
        """A digest of the text."""
        return hashlib.sha256(self.text.encode()).digest()
