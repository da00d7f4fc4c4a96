"""Keeps the catalogs: takes the messages out of the templates, and compiles the translations. Needs babel."""

import argparse
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from shared.pages.catalogs import LANGUAGES, SHARED, Language, catalog_path

_FUNCTIONS = {"_": None, "gettext": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2)}


def extract(folder: Path) -> Catalog:
    """Every message of the templates of a `pages/` folder, as a babel catalog."""
    catalog = Catalog()
    found = extract_from_dir(
        folder / "templates",
        method_map=[("**.j2", "jinja2")],
        options_map={"**.j2": {"trimmed": "true", "silent": "false", "newstyle_gettext": "true"}},
        keywords=_FUNCTIONS,
    )
    for _name, _line, message, _comments, context in found:
        catalog.add(message, context=context)
    return catalog


def updated(folder: Path, language: Language) -> Catalog:
    """The stored catalog with the messages of today's templates: new ones are empty, gone ones are dropped."""
    path = catalog_path(folder, language)
    stored = read_po(BytesIO(path.read_bytes()), locale=language) if path.exists() else _empty(language)
    wanted = extract(folder)
    if folder != SHARED:
        # At run time the shared words stand behind the service's own.
        for message in extract(SHARED):
            if message.id:
                wanted.delete(message.id, message.context)
    stored.update(wanted, no_fuzzy_matching=True, update_creation_date=False)
    stored.obsolete.clear()
    return stored


def compiled(catalog: Catalog) -> bytes:
    """The catalog as gettext reads it at run time."""
    out = BytesIO()
    write_mo(out, catalog)
    return out.getvalue()


def missing(catalog: Catalog) -> list[str]:
    """The messages that have no translation, or one that babel marked as doubtful."""
    empty = [message for message in catalog if message.id and (not _is_filled(message.string) or message.fuzzy)]
    return [str(message.id) for message in empty]


def update(folder: Path) -> list[str]:
    """Write the catalogs of a `pages/` folder anew; returns what still wants a translation."""
    wanting: list[str] = []
    for language in LANGUAGES[1:]:
        catalog, path = updated(folder, language), catalog_path(folder, language)
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as file:
            write_po(file, catalog, width=118, no_location=True, omit_header=False, sort_output=True)
        path.with_suffix(".mo").write_bytes(compiled(catalog))
        wanting += missing(catalog)
    return wanting


def main() -> None:
    """`python -m shared.pages.messages [FOLDER …]`: take new words into the catalogs, and compile them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folders", nargs="*", type=Path, default=all_folders(), help="pages/ folders; all by default")
    for folder in parser.parse_args().folders:
        wanting = update(folder.resolve())
        print(f"{folder}: {len(wanting)} without a translation", *wanting, sep="\n  ")


def all_folders() -> list[Path]:
    """Every folder of pages in the repository."""
    root = SHARED.parent.parent
    services = sorted(path.parent for path in root.glob("services/**/pages/templates"))
    return [SHARED, *services]


def _empty(language: Language) -> Catalog:
    return Catalog(
        language,
        header_comment="# Words of the console. `python -m shared.pages.messages` takes new ones in.",
        project="Assay",
        version="1",
        last_translator="Assay",
        language_team=language,
        revision_date=datetime(2026, 11, 28, tzinfo=UTC),
        fuzzy=False,
    )


def _is_filled(string: Any) -> bool:
    return all(string) if isinstance(string, tuple | list) else bool(string)


if __name__ == "__main__":
    main()
