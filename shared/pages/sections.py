"""The sections of the console: the five stations of the line and what stands beside them."""

from dataclasses import dataclass

from shared.pages.reader import Reader


@dataclass(frozen=True)
class Section:
    """`name` is what `at` of a page compares with; `icon` is drawn on Home. Readers need one of `scopes`."""

    name: str
    href: str
    scopes: tuple[str, ...] = ()
    station: bool = True


# A section is listed as soon as its first page exists.
SECTIONS = (
    Section("data", "/console/ingest/", ("train",)),
    Section("train", "/console/trainer/", ("train",)),
    Section("evaluate", "/console/evaluator/", ("train",)),
    Section("review", "/console/review/", ("review", "train")),
    Section("serve", "/console/serve/", ("infer", "train")),
    Section("templates", "/console/ingest/templates/", ("train",), station=False),
    # Everybody has keys and usage to look at.
    Section("admin", "/console/admin/", ("",), station=False),
)


def sections(reader: Reader) -> list[Section]:
    """What the reader may open."""
    return [section for section in SECTIONS if any(reader.may(scope) for scope in section.scopes)]
