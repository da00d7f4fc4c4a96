"""Every word of every page exists in both languages."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import Environment

from shared.pages.catalogs import SHARED, catalog_path
from shared.pages.messages import all_folders, compiled, missing, updated

FOLDERS = all_folders()
TEMPLATES = [path for folder in FOLDERS for path in sorted((folder / "templates").rglob("*.j2"))]
SHOWN_ATTRIBUTES = ("title", "aria-label", "placeholder", "alt")
NAMES = re.compile(r"\b(Assay|English|JSON|CSV|Excel|API|Python|curl|OpenAI|SDK|LoRA|GPU|OK)\b")


def names(path: Path) -> str:
    return str(path.relative_to(SHARED.parent.parent))


@pytest.mark.parametrize("folder", FOLDERS, ids=names)
def test_every_message_has_a_chinese_translation(folder: Path) -> None:
    assert missing(updated(folder, "zh")) == []


@pytest.mark.parametrize("folder", FOLDERS, ids=names)
def test_the_stored_catalog_is_up_to_date_with_the_templates(folder: Path) -> None:
    path = catalog_path(folder, "zh")
    wanted = updated(folder, "zh")
    command = "run: python -m shared.pages.messages"
    assert path.with_suffix(".mo").read_bytes() == compiled(wanted), command


@pytest.mark.parametrize("folder", FOLDERS, ids=names)
def test_translations_keep_the_placeholders(folder: Path) -> None:
    for message in updated(folder, "zh"):
        ids = message.id if isinstance(message.id, tuple | list) else [message.id]
        strings = message.string if isinstance(message.string, tuple | list) else [message.string]
        wanted = {name for text in ids for name in re.findall(r"%\((\w+)\)s", text)}
        found = {name for text in strings for name in re.findall(r"%\((\w+)\)s", text)}
        # A plural form may leave its number out: "one row".
        assert found <= wanted, message.id
        assert wanted - found <= {"num", "n"}, message.id


class Texts(HTMLParser):
    """What a reader would see of a template's own markup."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.found += [given[name] or "" for name in SHOWN_ATTRIBUTES if name in given]
        self._hidden += tag in ("pre", "code", "script", "kbd") or given.get("lang") == "zh"

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("pre", "code", "script", "kbd") and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.found.append(data)


@pytest.mark.parametrize("path", TEMPLATES, ids=names)
def test_no_text_of_a_template_is_left_untranslated(path: Path) -> None:
    parser = Texts()
    parser.feed(own_markup(path.read_text()))
    words = [text.strip() for text in parser.found if re.search(r"[A-Za-z]{2,}", NAMES.sub("", text))]
    assert words == [], f"write them as {{{{ _('…') }}}} in {path}"


def own_markup(source: str) -> str:
    """The template without what Jinja fills in: expressions become "0", and `trans` blocks nothing."""
    kept: list[str] = []
    translated = False
    block: list[str] = []
    for _line, kind, value in Environment().lex(source):
        if kind == "block_begin":
            block = []
        elif kind == "name":
            block.append(value)
        elif kind == "block_end":
            # What `trans` holds is translated, and code that can be copied needs no translation.
            begins = block[:1] == ["trans"] or block[:2] == ["call", "snippet"]
            translated = begins or (translated and block[:1] not in (["endtrans"], ["endcall"]))
        elif kind == "variable_begin":
            kept.append("0")
        elif kind == "data" and not translated:
            kept.append(value)
    return "".join(kept)


def test_the_check_of_templates_finds_what_is_untranslated() -> None:
    parser = Texts()
    parser.feed(own_markup('<p title="Hello">{{ _("Fine") }} words{% trans %}also fine{% endtrans %}</p>'))
    assert [text.strip() for text in parser.found] == ["Hello", "0 words"]
