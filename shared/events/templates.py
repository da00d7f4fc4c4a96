"""Prompt templates and the decoding that goes with them."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.cloudevents import EventData
from shared.events.values import Value

TEMPLATE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
FieldName = Annotated[str, Field(min_length=1, max_length=64)]


class Decoding(Value):
    """How answers are made: `max_tokens` is a cap, the others hold where a caller asks for nothing."""

    max_tokens: int | None = Field(default=None, ge=1, le=2**20)
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    stop: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = Field(default=(), max_length=4)


class TemplateRef(Value):
    """One version of a template; version 0 is the newest."""

    name: str = Field(pattern=TEMPLATE_NAME)
    version: int = Field(default=0, ge=0, le=1_000_000)


class PromptTemplate(Value):
    """A version of a template; it never changes.

    `user` is put around each message of a user, with `{input}` for the message; `system` stands once before all.
    `fields` are the other placeholders, which a row or a request must fill. A caller's own system message is appended
    to `system`, or refused.
    """

    name: str = Field(pattern=TEMPLATE_NAME)
    version: int = Field(ge=1, le=1_000_000)
    system: str = Field(default="", max_length=12_000)
    user: str = Field(default="{input}", max_length=12_000)
    fields: tuple[FieldName, ...] = Field(default=(), max_length=50)
    caller_system: Literal["append", "refuse"] = "append"
    decoding: Decoding = Decoding()


class TemplatePublished(EventData):
    """A version of a template was made."""

    type: ClassVar[str] = "template.published"
    template: PromptTemplate
    owner: str = Field(default="", max_length=128)
    created_at: int = 0

    def aggregate_id(self) -> str:
        return f"{self.owner}/{self.template.name}"

    def natural_key(self) -> str:
        return f"{self.owner}/{self.template.name}/{self.template.version}"
