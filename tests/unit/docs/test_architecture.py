"""Every path that ARCHITECTURE.md names exists, and its glossary has one entry for each term."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "ARCHITECTURE.md").read_text()
PATH = re.compile(r"`((?:services|shared|deploy|docs|tests|bench|examples)/[\w./-]+)`")


def test_each_path_exists():
    paths = PATH.findall(TEXT)
    assert len(paths) > 60
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_each_part_of_a_service_is_named():
    """A part is a folder with a domain of its own, as `services/review/pairs`."""
    parts = {path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "services").glob("*/*/domain")}
    assert "services/review/pairs" in parts
    assert {part for part in parts if f"| `{part}` |" not in TEXT} == set()


def test_the_glossary_has_about_thirty_terms_and_each_once():
    terms = re.findall(r"^\| ([^|]+) \|", TEXT.partition("## Glossary")[2], re.MULTILINE)[2:]
    assert 25 <= len(terms) <= 45
    assert [term for term, count in Counter(terms).items() if count > 1] == []
