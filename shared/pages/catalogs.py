"""Words of the pages in English and Chinese: gettext catalogs beside the templates. English is in the templates."""

import gettext
from functools import cache
from pathlib import Path
from typing import Literal, get_args

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
SHARED = Path(__file__).parent


@cache
def translations(language: Language, *folders: Path) -> gettext.NullTranslations:
    """The words of one language from the catalogs of several `pages/` folders; English is the text of the templates."""
    found = gettext.NullTranslations()
    for folder in (*folders, SHARED):
        path = catalog_path(folder, language).with_suffix(".mo")
        if language != "en" and path.exists():
            with path.open("rb") as file:
                found.add_fallback(gettext.GNUTranslations(file))
    return found


def catalog_path(folder: Path, language: Language) -> Path:
    """The `.po` file of a `pages/` folder."""
    return folder / "translations" / f"{language}.po"
