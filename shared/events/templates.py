"""Prompt templates and the decoding that goes with them."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.bounds import MaxBytes
from shared.cloudevents import EventData
from shared.events.bounded_texts import Id
from shared.events.values import Value

TemplateName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"), MaxBytes(64)]
FieldName = Annotated[str, Field(min_length=1, max_length=64), MaxBytes(96)]
# Together with the names of its fields, a template has at most 32 kB.
Part = Annotated[str, Field(max_length=12_000), MaxBytes(12_000)]


StopText = Annotated[str, Field(min_length=1, max_length=200), MaxBytes(400)]


class Decoding(Value):
    """How answers are made: `max_tokens` is a cap, the others hold where a caller asks for nothing."""

    max_tokens: int | None = Field(default=None, ge=1, le=2**20)
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    stop: tuple[StopText, ...] = Field(default=(), max_length=4)


class TemplateRef(Value):
    """One version of a template; version 0 is the newest."""

    name: TemplateName
    version: int = Field(default=0, ge=0, le=1_000_000)


class PromptTemplate(Value):
    """A version of a template; it never changes.

    `user` is put around each message of a user, with `{input}` for the message; `system` stands once before all.
    `fields` are the other placeholders, which a row or a request must fill. A caller's own system message is appended
    to `system`, or refused.
    """

    name: TemplateName
    version: int = Field(ge=1, le=1_000_000)
    system: Part = ""
    user: Part = "{input}"
    fields: tuple[FieldName, ...] = Field(default=(), max_length=50)
    caller_system: Literal["append", "refuse"] = "append"
    decoding: Decoding = Decoding()


class TemplatePublished(EventData):
    """A version of a template was made."""

    type: ClassVar[str] = "template.published"
    template: PromptTemplate
    owner: Id = ""
    created_at: int = 0

    def aggregate_id(self) -> str:
        return f"{self.owner}/{self.template.name}"

    def natural_key(self) -> str:
        return f"{self.owner}/{self.template.name}/{self.template.version}"
