"""The prompt template of a version is applied on the server, with the text that training used."""

import json
from typing import Any

import pytest

from services.gateway.common.domain.errors import BadRequest
from services.gateway.inference.domain import chat_request, completion_request
from services.gateway.inference.domain.prompt_template import applied
from shared.events import PromptTemplate
from shared.events.templates import Decoding
from shared.prompts import render
from tests.gateway import candidate

TEMPLATE = PromptTemplate(
    name="support",
    version=2,
    system="你是{shop}的客服。",
    user="问题：{input}\n请简短回答。",
    fields=("shop",),
    decoding=Decoding(max_tokens=64, temperature=0.2, stop=("\n\n",)),
)
FIELDS = {"shop": "书店"}


def asked(template: PromptTemplate | None = TEMPLATE, **changes: Any) -> dict[str, Any]:
    """What the engine is sent."""
    body = {"model": "m", "messages": [{"role": "user", "content": "几点开门？"}], "template_fields": FIELDS, **changes}
    made = candidate("job").model_copy(update={"template": template})
    return json.loads(applied(chat_request.admit(body, 16), made).addressed_to("v-1"))


def test_the_engine_is_sent_the_messages_that_training_rendered() -> None:
    messages = [{"role": "user", "content": "几点开门？"}]
    assert asked()["messages"] == render(TEMPLATE, messages, FIELDS)
    assert asked()["messages"][0]["content"] == "你是书店的客服。"
    assert "template_fields" not in asked()


def test_a_version_without_a_template_is_asked_as_the_caller_asks() -> None:
    sent = asked(None)
    assert sent["messages"] == [{"role": "user", "content": "几点开门？"}]
    assert sent.keys() == {"model", "messages"}


def test_placeholders_in_the_input_and_format_directives_stay_text() -> None:
    for text in ("{shop}", "{x.__init__.__globals__}", "{:>50000000}", "{input}"):
        sent = asked(messages=[{"role": "user", "content": text}])
        assert sent["messages"][1]["content"] == f"问题：{text}\n请简短回答。"


def test_the_user_part_is_put_around_every_user_turn_and_the_system_part_stands_once() -> None:
    turns = [("user", "a"), ("assistant", "b"), ("user", "c")]
    sent = asked(messages=[{"role": role, "content": text} for role, text in turns])["messages"]
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "user"]
    assert [message["content"] for message in sent[1:]] == ["问题：a\n请简短回答。", "b", "问题：c\n请简短回答。"]


def test_a_missing_field_is_refused_by_name() -> None:
    with pytest.raises(BadRequest) as refused:
        asked(template_fields={})
    assert refused.value.param == "template_fields.shop"


def test_a_callers_system_message_is_appended_or_refused() -> None:
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "a"}]
    assert asked(messages=messages)["messages"][0]["content"] == "你是书店的客服。\n\nBe kind."
    with pytest.raises(BadRequest):
        asked(TEMPLATE.model_copy(update={"caller_system": "refuse"}), messages=messages)


def test_max_tokens_is_a_cap_and_the_other_limits_are_defaults() -> None:
    sent = asked()
    assert (sent["max_tokens"], sent["temperature"], sent["stop"]) == (64, 0.2, ["\n\n"])
    sent = asked(max_completion_tokens=1000, temperature=1, stop="x")
    assert (sent["max_completion_tokens"], sent["temperature"], sent["stop"]) == (64, 1, "x")
    assert asked(max_tokens=8)["max_tokens"] == 8


def test_plain_completions_are_not_rendered() -> None:
    request = completion_request.admit({"model": "m", "prompt": "a"}, 16)
    made = candidate("job").model_copy(update={"template": TEMPLATE})
    assert applied(request, made) is request


@pytest.mark.parametrize("fields", [{"shop": 7}, ["shop"], {str(n): "x" for n in range(51)}])
def test_fields_that_are_not_text_are_refused(fields: Any) -> None:
    with pytest.raises(BadRequest):
        asked(template_fields=fields)


def test_an_unknown_role_is_refused_by_its_place() -> None:
    with pytest.raises(BadRequest) as refused:
        asked(messages=[{"role": "king", "content": "a"}])
    assert refused.value.param == "messages[0].role"
