"""Prompt templates are rendered by literal substitution, the same way for training and for serving."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import PromptTemplate
from shared.prompts import MissingFieldError, SystemRefusedError, placeholders, render


def template(**parts: object) -> PromptTemplate:
    return PromptTemplate.model_validate({"name": "support", "version": 1, **parts})


def user(content: object) -> dict[str, object]:
    return {"role": "user", "content": content}


def test_the_user_part_stands_around_every_user_message_and_the_system_part_once() -> None:
    made = render(
        template(system="Be brief.", user="Q: {input}\nA:"),
        [user("one"), {"role": "assistant", "content": "{input}"}, user("two")],
        {},
    )
    assert [one["content"] for one in made] == ["Be brief.", "Q: one\nA:", "{input}", "Q: two\nA:"]


@pytest.mark.parametrize(
    "text", ["{x.__init__.__globals__}", "{:>50000000}", "{0}", "{input!r}", "{{'a'*9}}", "{a[0]}"]
)
def test_what_other_template_languages_would_run_stays_text(text: str) -> None:
    assert render(template(user=text + "{input}"), [user(text)], {})[0]["content"] == text + text


@given(st.text(), st.text(min_size=1))
def test_a_value_is_never_substituted_again(value: str, field: str) -> None:
    made = render(template(user="{input}|{place}", fields=["place"]), [user(value)], {"place": field})
    assert made[0]["content"] == f"{value}|{field}"


def test_a_field_without_a_value_is_named() -> None:
    with pytest.raises(MissingFieldError, match="'place'"):
        render(template(user="{input} in {place}", fields=["place"]), [user("x")], {"other": "y"})


def test_a_callers_system_message_is_appended_or_refused() -> None:
    messages = [{"role": "system", "content": "Mine."}, user("x")]
    assert render(template(system="Ours."), messages, {})[0]["content"] == "Ours.\n\nMine."
    with pytest.raises(SystemRefusedError):
        render(template(system="Ours.", caller_system="refuse"), messages, {})


def test_content_in_parts_of_text_is_joined() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert render(template(user="<{input}>"), [user(parts)], {})[0]["content"] == "<ab>"


def test_placeholders_are_names_in_braces() -> None:
    assert placeholders('{input} {地点} {place} {place} {"json": 1} {a.b} {}') == ["input", "地点", "place"]


def test_a_template_survives_an_event() -> None:
    one = template(user="请回答:{input}", decoding={"max_tokens": 20, "stop": ["\n"]})
    assert PromptTemplate.model_validate(json.loads(one.model_dump_json())) == one
