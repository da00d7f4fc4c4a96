"""Each finding of a row's check has words for readers of another language."""

import re
from pathlib import Path

from services.ingest.pages import PAGES

INGEST = PAGES.folder.parent
_RAISED = re.compile(r"""report\.(?:error|notice)\(\s*"([a-z_]+)\"""")
_WORDS = re.compile(r"^  '([a-z_]+)': ", re.MULTILINE)


def raised_codes(folder: Path) -> set[str]:
    return {code for path in folder.rglob("*.py") for code in _RAISED.findall(path.read_text())}


def test_every_code_of_a_row_has_a_reason_and_a_correction_in_chinese() -> None:
    codes = raised_codes(INGEST)
    assert len(codes) > 20
    words = set(_WORDS.findall((PAGES.folder / "templates" / "finding_words.j2").read_text()))
    assert codes - words == set()
