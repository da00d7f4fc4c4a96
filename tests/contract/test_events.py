"""The event contract: the published document, old events, bounds and consumers."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared import asyncapi, events, topology
from shared.bounds import MESSAGE_BYTES, bound_of
from shared.cloudevents import Envelope, EventData

PUBLISHED = Path(__file__).parents[2] / "docs" / "asyncapi.json"


def test_the_published_document_matches_the_code() -> None:
    assert json.loads(PUBLISHED.read_text()) == asyncapi.document(), "run `make contract` and read the difference"


def test_every_event_type_is_a_subject_of_the_stream() -> None:
    facts, progress, _ = topology.streams(topology.CommonSettings())
    assert sorted([*(facts.subjects or []), *(progress.subjects or [])]) == sorted(events.EVENTS)
    assert progress.subjects == ["evaluation.progress", "training.progress"]
    assert all(name.count(".") == 1 and name == event.type for name, event in events.EVENTS.items())


def test_no_consumer_is_declared_twice() -> None:
    names = [consumer.name for consumer in topology.CONSUMERS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("event", events.EVENTS.values(), ids=events.EVENTS)
def test_no_event_can_exceed_the_message_size_of_nats(event: type[EventData]) -> None:
    envelope_bytes = 4096
    assert bound_of(event).largest() + envelope_bytes <= MESSAGE_BYTES < 2**20


def test_requests_may_be_posted_by_callers_and_everything_else_is_a_fact() -> None:
    assert {name for name, event in events.EVENTS.items() if event.category == "request"} == {
        "dataset.uploaded",
        "evaluation.requested",
        "feedback.recorded",
        "training.cancel_requested",
        "training.pause_requested",
        "training.requested",
        "training.resume_requested",
    }


def test_an_evaluation_has_one_source_of_questions() -> None:
    model = events.EvaluatedModel(name="m", base_model="b")
    with pytest.raises(ValidationError, match="exactly one of questions, suite and split"):
        events.EvaluationRequested(evaluation_id="e", models=(model,))
    assert events.EvaluationRequested(evaluation_id="e", models=(model,), suite="s").suite == "s"


@given(st.text(min_size=1, max_size=20, alphabet=st.characters(exclude_categories=["Cs"])), st.text())
def test_an_envelope_is_read_as_it_was_written(job_id: str, traceparent: str) -> None:
    sent = Envelope.of(events.TrainingQueued(job_id=job_id), "test", traceparent)
    received = Envelope.model_validate_json(sent.model_dump_json())
    assert received == sent
    assert events.parse(received) == events.TrainingQueued(job_id=job_id)


def test_a_field_that_a_later_version_adds_is_ignored() -> None:
    envelope = Envelope.of(events.TrainingQueued(job_id="a"), "test")
    later = envelope.model_copy(update={"data": {**envelope.data, "priority": 3}})
    assert events.parse(later) == events.TrainingQueued(job_id="a")


def test_the_error_of_an_unknown_type_lists_the_known_ones() -> None:
    envelope = Envelope.of(events.TrainingQueued(job_id="a"), "test").model_copy(update={"type": "model.exploded"})
    with pytest.raises(events.UnknownEventTypeError, match=r"model\.approved"):
        events.parse(envelope)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "much"])
def test_a_score_is_a_finite_number(value: object) -> None:
    with pytest.raises(ValidationError):
        events.Score.model_validate({"value": value, "n": 1})


def test_a_version_is_named_after_its_weights() -> None:
    def version(digest: str, step: int) -> str:
        adapter = events.Artifact(uri="file:///a", sha256=digest * 64, bytes=1)
        return events.Candidate(
            job_id="j", step=step, base_model="b", model_name="m", adapter=adapter, lora_rank=8
        ).version

    assert version("a", 1) == version("a", 2) != version("b", 1)
