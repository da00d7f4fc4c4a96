"""A version of a prompt template as it is kept, and the rules for making one."""

from pydantic import BaseModel

from shared.events import PromptTemplate
from shared.prompts import placeholders
from shared.prompts.rendering import INPUT

MAX_BYTES = 32_000


class TemplateRefused(ValueError):
    """A template that cannot be used; the message says why."""


class TemplateVersion(BaseModel):
    """One version; it never changes."""

    id: str
    owner: str
    name: str
    version: int
    template: PromptTemplate
    created_at: int


def version_id(owner: str, name: str, version: int) -> str:
    """The id of one version of an owner's template."""
    return f"{owner}/{name}/{version}"


def with_fields(template: PromptTemplate, declared: tuple[str, ...] | None) -> PromptTemplate:
    """The template with its fields: those declared, else all placeholders but `{input}`. Raises `TemplateRefused`."""
    found = placeholders(template.system + template.user)
    if INPUT not in placeholders(template.user):
        raise TemplateRefused("`user` must contain {input}, where the message of the user is put")
    if INPUT in placeholders(template.system):
        raise TemplateRefused("`system` cannot contain {input}: put it into `user`")
    if declared is not None and (unused := [name for name in declared if name not in found]):
        raise TemplateRefused(f"the declared field {unused[0]!r} is not in the template")
    fields = tuple(name for name in found if name != INPUT) if declared is None else declared
    made = PromptTemplate.model_validate({**template.model_dump(), "fields": fields})
    if len(made.model_dump_json().encode()) > MAX_BYTES:
        raise TemplateRefused(f"the template has more than {MAX_BYTES} bytes")
    return made
