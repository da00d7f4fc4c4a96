"""What callers may send: job parameters, chat parameters, pages and events."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.common.domain.errors import BadRequest
from services.gateway.events.domain import posted_event
from services.gateway.fine_tuning.domain import job_request
from services.gateway.inference.domain import chat_request
from shared.events import EVENTS, Hyperparameters

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
JOB = {"model": "m", "training_file": "file-1"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def sent(admitted: chat_request.ChatRequest) -> dict[str, Any]:
    """What an engine would get, but the model's name."""
    body = json.loads(admitted.addressed_to("loaded"))
    assert body.pop("model") == "loaded"
    return body


def refusal(body: Any) -> BadRequest:
    with pytest.raises(BadRequest) as refused:
        job_request.read(body)
    return refused.value


def test_auto_native_and_old_hyperparameters_are_understood() -> None:
    hyperparameters = {"n_epochs": "auto", "batch_size": 4, "learning_rate": 1e-3, "lora_rank": 16, "n_checkpoints": 3}
    expected = Hyperparameters(batch_size=4, learning_rate=1e-3, lora_rank=16, n_checkpoints=3)
    method = {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}}
    assert job_request.read({**JOB, "method": method}).spec().hyperparameters == expected
    assert job_request.read({**JOB, "hyperparameters": hyperparameters}).spec().hyperparameters == expected
    assert job_request.read({**JOB, "method": {"type": "supervised"}}).spec().hyperparameters == Hyperparameters()


def supervised(**hyperparameters: Any) -> dict[str, Any]:
    return {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}}


def test_hyperparameters_in_the_old_and_the_new_place_are_merged() -> None:
    old = {"batch_size": 4, "n_epochs": 3, "lora_rank": "auto"}
    asked = {**JOB, "hyperparameters": old, "method": supervised(n_epochs=3, lora_rank=8, batch_size="auto")}
    expected = Hyperparameters(n_epochs=3, batch_size=4, lora_rank=8)
    assert job_request.read(asked).spec().hyperparameters == expected


def test_hyperparameters_that_contradict_each_other_are_refused_by_name() -> None:
    found = refusal({**JOB, "hyperparameters": {"n_epochs": 2}, "method": supervised(n_epochs=3)})
    assert found.param == "hyperparameters.n_epochs"
    assert "method.supervised.hyperparameters.n_epochs" in found.message


def test_the_review_policy_travels_in_the_metadata() -> None:
    spec = job_request.read({**JOB, "metadata": {"policy": "strict", "team": "x"}, "seed": 3}).spec()
    assert (spec.policy, spec.metadata, spec.seed) == ("strict", {"policy": "strict", "team": "x"}, 3)
    assert job_request.read({**JOB, "integrations": []}).spec().policy is None


def test_the_method_of_tuning_and_the_priority_are_asked_for() -> None:
    asked = {"tuning": "freeze", "freeze_blocks": 4, "early_stopping_drop": 0.1, "lora_alpha": "auto"}
    spec = job_request.read({**JOB, "hyperparameters": asked, "metadata": {"priority": "-7"}}).spec()
    assert spec.hyperparameters == Hyperparameters(tuning="freeze", freeze_blocks=4, early_stopping_drop=0.1)
    assert (spec.priority, job_request.read(JOB).spec().priority) == (-7, 0)


@pytest.mark.parametrize(
    ("extra", "param"),
    [
        ({"method": {"type": "dpo", "dpo": {}}}, "method.type"),
        ({"method": {"supervised": {"hyperparameters": {"n_epochs": "many"}}}}, None),
        ({"hyperparameters": {"n_epochs": 0}}, "hyperparameters.n_epochs"),
        ({"hyperparameters": {"batch_size": "8"}}, "hyperparameters.batch_size"),
        ({"hyperparameters": {"optimizer": "x"}}, "hyperparameters.optimizer"),
        ({"hyperparameters": {"tuning": "prefix"}}, "hyperparameters.tuning"),
        ({"hyperparameters": {"lora_targets": "q_proj; rm"}}, "hyperparameters.lora_targets"),
        ({"hyperparameters": {"general_share": 1.0}}, "hyperparameters.general_share"),
        ({"metadata": {"priority": "101"}}, "metadata"),
        ({"metadata": {"priority": "soon"}}, "metadata"),
        ({"integrations": [{"type": "wandb"}]}, "integrations"),
        ({"metadata": {str(n): "x" for n in range(17)}}, "metadata"),
        ({"metadata": {"k": "x" * 513}}, "metadata"),
        ({"metadata": {"k": 1}}, "metadata.k"),
        ({"metadata": {"a\x00b": "x"}}, "metadata"),
        ({"metadata": {"k": "a\x00b"}}, "metadata"),
        ({"suffix": "a/../b"}, "suffix"),
        ({"seed": -1}, "seed"),
        ({"seed": "7"}, "seed"),
        ({"unknown": 1}, "unknown"),
        ({"training_file": {"$ne": None}}, "training_file"),
    ],
)
def test_a_bad_job_parameter_is_refused_by_name(extra: dict[str, Any], param: str | None) -> None:
    found = refusal({**JOB, **extra})
    assert found.message
    assert found.param == param or (param is None and (found.param or "").endswith("n_epochs"))


def test_a_missing_parameter_is_named() -> None:
    assert (refusal({"model": "m"}).param, refusal({"model": "m"}).code) == (
        "training_file",
        "missing_required_parameter",
    )


@given(st.dictionaries(st.sampled_from([*JOB, "method", "hyperparameters", "metadata", "suffix", "x"]), JSON) | JSON)
def test_whatever_is_sent_is_a_job_or_a_refusal(body: Any) -> None:
    with suppress(BadRequest):
        assert job_request.read(body).spec().base_model == body["model"]


@given(st.dictionaries(st.sampled_from([*sorted(chat_request.PASSED_ON), "model", "echo"]), JSON) | JSON)
def test_whatever_is_sent_is_a_chat_request_or_a_refusal(body: Any) -> None:
    with suppress(BadRequest):
        admitted = chat_request.admit(body, 16)
        assert sent(admitted).keys() <= chat_request.PASSED_ON


@pytest.mark.parametrize(
    "extra",
    [
        {"n": 17},
        {"n": True},
        {"prompt_logprobs": None},
        {"structured_outputs": {}},
        {"guided_json": {}},
        {"vllm_xargs": {}},
        {"logits_processors": []},
        {"max_tokens": 0},
        {"response_format": {"type": "structural_tag"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"x": "y" * 40_000}}}},
        {"response_format": {"type": "json_schema"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}]},
        {"messages": [{"role": "user", "content": json.loads('"\\ud800"')}]},
        {"messages": []},
    ],
)
def test_what_can_harm_the_engine_is_refused(extra: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        chat_request.admit({**CHAT, **extra}, 16)


def test_openais_own_bookkeeping_is_taken_and_left_out() -> None:
    admitted = chat_request.admit({**CHAT, "user": "u", "metadata": {}, "store": False, "stop": None, "n": 2}, 16)
    assert sent(admitted) == {"messages": CHAT["messages"], "n": 2}


def test_each_event_type_has_the_scope_of_those_who_may_state_it() -> None:
    scopes = {name: posted_event.scope_of(name) for name in EVENTS}
    assert scopes["dataset.uploaded"] == scopes["training.requested"] == "train"
    assert scopes["feedback.recorded"] == "infer"
    facts = ("review.scored", "dataset.ready", "model.approved", "eval.done", "checkpoint.saved")
    assert {scopes[name] for name in facts} == {"publish"}
