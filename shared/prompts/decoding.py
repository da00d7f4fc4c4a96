"""Decoding that a job asks for beside, or in place of, that of its template."""

from shared.events.templates import Decoding, PromptTemplate

PLAIN = PromptTemplate(name="plain", version=1)
"""Leaves messages as they are: it carries the decoding of a model without a template."""


def with_decoding(template: PromptTemplate | None, asked: Decoding | None) -> PromptTemplate | None:
    """The template with the fields of the decoding that are asked for; the others stay the template's."""
    if asked is None:
        return template
    base = template or PLAIN
    decoding = base.decoding.model_copy(update=asked.model_dump(exclude_defaults=True))
    return base.model_copy(update={"decoding": Decoding.model_validate(decoding.model_dump())})
