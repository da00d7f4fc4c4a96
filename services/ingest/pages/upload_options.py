"""What a form offers for the options of an upload."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.ingest.domain.template_version import TemplateVersion
from services.ingest.shapes.catalog import SHAPES

FORMATS = ("jsonl", "json", "csv", "tsv", "parquet", "xlsx", "ods")
ENCODINGS = ("utf-8", "utf-16", "gb18030", "cp1252")
DELIMITERS = (",", ";", "\\t", "|")


@dataclass(frozen=True)
class OptionChoices:
    """The values of the form's lists; `fields` are what a column can become."""

    formats: Sequence[str]
    encodings: Sequence[str]
    delimiters: Sequence[str]
    shapes: Sequence[tuple[str, str]]
    fields: Sequence[str]
    templates: Sequence[TemplateVersion]


def option_choices(versions: Sequence[TemplateVersion]) -> OptionChoices:
    """`versions` are the newest versions of templates, of which the newest of each name is offered."""
    newest: dict[str, TemplateVersion] = {}
    for one in versions:
        if one.name not in newest or newest[one.name].version < one.version:
            newest[one.name] = one
    fields = dict.fromkeys(key for shape in SHAPES.values() for key in (*shape.required, *shape.optional))
    return OptionChoices(
        formats=FORMATS,
        encodings=ENCODINGS,
        delimiters=DELIMITERS,
        shapes=[(name, " + ".join(shape.required)) for name, shape in SHAPES.items()],
        fields=sorted(fields),
        templates=list(newest.values()),
    )
