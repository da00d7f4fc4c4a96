"""Rows of each kind as the pages show them, and what their pictures and differences say."""

import json
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

from services.ingest.pages.length_chart import length_chart
from services.ingest.pages.shown_row import ShownRow, marked, shown_row
from services.ingest.pages.template_form import TemplateForm
from services.ingest.pages.template_sample import sample
from services.ingest.pages.twins import difference
from services.ingest.shapes.canonical import Conversation, Message
from services.ingest.statistics.lengths import TokenCounter, lengths
from shared.events import PromptTemplate
from tests.prepared import chat, check, jsonl

HOSTILE = "<script>alert(1)</script>"
CALL = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"id": 7}'}}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}


def rows_of(made: list[dict[str, Any]]) -> list[ShownRow]:
    """Twelve rows of a file, checked and shown."""
    checked = check(jsonl(made))
    assert not checked.refused, checked.report.errors
    places = enumerate(checked.rows)
    return [shown_row({"row": at, "line": at + 1, "split": "train", "flags": [], "content": row}) for at, row in places]


def test_a_row_of_calls_shows_its_tools_its_calls_and_what_is_not_learned() -> None:
    turns = [
        {"role": "user", "content": "Where is parcel 7?"},
        {"role": "assistant", "content": None, "tool_calls": [CALL], "weight": 0},
        {"role": "tool", "tool_call_id": "c1", "content": "Leeds"},
        {"role": "assistant", "content": "In Leeds."},
    ]
    rows = [
        {"messages": [{**turns[0], "content": f"Where is parcel {n * 7919}?"}, *turns[1:]], "tools": [TOOL]}
        for n in range(12)
    ]
    shown = rows_of(rows)[0]
    assert list(shown.tools) == ["look_up"]
    assert [turn.role for turn in shown.turns] == ["user", "assistant", "tool", "assistant"]
    assert list(shown.turns[1].calls) == ['look_up({"id": 7})']
    assert [turn.learned for turn in shown.turns] == [True, False, True, True]


def test_preferences_labels_and_plain_texts_are_shown_by_their_parts() -> None:
    pairs = [{"prompt": f"Question {n * 7919}?", "chosen": f"Yes {n}.", "rejected": "No."} for n in range(12)]
    assert [(turn.role, turn.text) for turn in rows_of(pairs)[1].turns] == [
        ("user", "Question 7919?"),
        ("preferred", "Yes 1."),
        ("rejected", "No."),
    ]
    labelled = [{"prompt": f"Question {n * 7919}?", "completion": "Yes.", "label": n % 2 == 0} for n in range(12)]
    assert [row.label for row in rows_of(labelled)[:2]] == [True, False]
    texts = [{"text": f"A text about {n * 7919} things."} for n in range(12)]
    assert [turn.role for turn in rows_of(texts)[0].turns] == ["text"]


def test_a_long_text_is_cut_and_says_by_how_much() -> None:
    content = chat("x" * 2_500, "Yes.")
    shown = shown_row({"row": 0, "line": 1, "split": "train", "flags": [], "content": content})
    assert (len(shown.turns[0].text), shown.turns[0].left_chars) == (2_000, 500)


def test_found_words_are_marked_whatever_their_case_and_markup_stays_text() -> None:
    assert marked(f"Refund {HOSTILE} refund", "REFUND") == Markup(
        "<mark>Refund</mark> &lt;script&gt;alert(1)&lt;/script&gt; <mark>refund</mark>"
    )
    assert marked(HOSTILE, "") == Markup("&lt;script&gt;alert(1)&lt;/script&gt;")


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("Can I pay?", "Can I pay too?", "Can I pay<ins> too</ins>?"),
        ("可以机洗吗", "能机洗吗", "<del>可以</del><ins>能</ins>机洗吗"),
        ("a", HOSTILE, "<del>a</del><ins>&lt;script&gt;alert(1)&lt;/script&gt;</ins>"),
    ],
)
def test_what_differs_between_two_questions_is_marked(before: str, after: str, shown: str) -> None:
    assert difference(before, after) == Markup(shown)


def test_the_picture_of_lengths_has_a_bar_for_each_bucket_and_warns_beyond_4k() -> None:
    counter = TokenCounter("", None)
    found = lengths(counter, ["word " * size for size in (10, 100, 100, 4_000)], [0, 0, 0, 0], 4)
    assert sum(rows for _bound, rows in found.buckets) == 4
    chart = str(length_chart(found))
    assert chart.count("<rect") == len(found.buckets)
    assert chart.count("k-warn") == 1
    assert ">4k<" in chart
    assert ">8k<" in chart


def test_the_sample_of_a_template_marks_what_comes_from_the_row_and_keeps_the_rest_literal() -> None:
    template = PromptTemplate(name="t", version=1, system="Be brief.", user="{shop}: {input}", fields=("shop",))
    row = Conversation((Message("user", f"{HOSTILE} {{shop}}"), Message("assistant", "Yes.")))
    made = sample(template, 1, row, {"shop": "Leeds"})
    assert made.turns[0] == ("system", Markup("Be brief."))
    assert made.turns[1][1] == Markup("<mark>Leeds</mark>: <mark>&lt;script&gt;alert(1)&lt;/script&gt; {shop}</mark>")
    assert sample(template, 1, row, {}).problem == "the prompt template needs the field 'shop'"


def test_a_form_reads_back_as_the_template_it_was_made_of() -> None:
    typed = {"name": "t", "user": "{a}\r\n{input}", "max_tokens": "64", "temperature": "0.5", "stop": "END\r\n\r\nSTOP"}
    template = TemplateForm.read({**typed, "caller_system": "refuse"}).template()
    assert (template.user, template.fields) == ("{a}\n{input}", ("a",))
    assert (template.decoding.max_tokens, template.decoding.stop) == (64, ("END", "STOP"))
    assert TemplateForm.of(template).template() == template


def test_the_example_that_the_pages_offer_is_a_file_of_conversations() -> None:
    path = Path(__file__).resolve().parents[3] / "examples" / "address-extraction" / "train.jsonl"
    assert all("messages" in json.loads(line) for line in path.read_text().splitlines())
