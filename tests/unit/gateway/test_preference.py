"""A blind vote as a preference row."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from services.gateway.console.domain.blind_vote import BlindVote
from services.ingest.shapes.catalog import SHAPES
from services.ingest.shapes.findings import RowReport

PROMPT = [{"role": "user", "content": "Where is 包裹?"}]
VOTE = {
    "better": "b",
    "a_id": "c-1",
    "a_model": "shop",
    "a_text": "I do not know.",
    "b_id": "c-2",
    "b_model": "base",
    "b_text": "On its way.",
    "prompt": json.dumps(PROMPT),
}


def vote(**changes: Any) -> BlindVote:
    return BlindVote.model_validate({**VOTE, **changes})


def test_a_vote_is_a_row_that_an_upload_reads() -> None:
    preference = vote().preference("person", 1.0)
    assert preference is not None
    assert (preference.preferred_model, preference.rejected_model) == ("base", "shop")
    report = RowReport(1)
    row = SHAPES["preference_openai"].read(preference.row(), report, False)
    assert report.findings == []
    assert row is not None
    assert "On its way." in str(row)


def test_the_same_vote_of_a_person_is_one_row() -> None:
    first, again, other = (vote().preference(person, at) for person, at in (("p", 1.0), ("p", 2.0), ("q", 1.0)))
    assert first is not None
    assert again is not None
    assert other is not None
    assert first.id == again.id != other.id


@pytest.mark.parametrize(
    "changes", [{"better": "both"}, {"better": "none"}, {"prompt": "[]"}, {"a_text": "On its way."}]
)
def test_a_vote_without_a_better_answer_to_the_same_prompt_is_no_row(changes: dict[str, Any]) -> None:
    assert vote(**changes).preference("person", 1.0) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": json.dumps([{"role": "tool", "content": "x"}])},
        {"prompt": json.dumps(PROMPT * 65)},
        {"prompt": "not JSON"},
        {"a_text": "x" * (64 * 1024 + 1)},
    ],
)
def test_a_vote_that_is_too_large_or_not_a_conversation_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        vote(**changes)
