"""Answers that a metric cannot read are counted, and a score of 0 with many of them is a warning."""

from services.evaluator.evaluation.domain.unread_answers import unread_warnings
from services.evaluator.scoring.adapters.metrics.registry import load
from services.evaluator.scoring.domain.answer import Answer
from services.evaluator.scoring.domain.item import Item
from services.evaluator.scoring.domain.metrics import Measured, measure
from services.evaluator.scoring.domain.target_scores import target_scores
from shared.events import Artifact, Candidate, EvalDone, Score

ARTIFACT = Artifact(uri="memory://x", sha256="0" * 64, bytes=1)


def measured(name: str, answers: list[str], references: list[str]) -> Measured:
    return measure(answers, references, load([name]))[name]


def test_answers_that_are_not_numbers_are_counted():
    assert measured("mae", ["1", "about two", "3 %", ""], ["1", "2", "3", "4"]).unreadable == 2
    assert measured("roc_auc", ["0.9", "high"], ["1", "0"]).unreadable == 1
    assert measured("fuzzy", ["anything", ""], ["a", "b"]).unreadable == 0


def test_answers_that_are_not_json_objects_are_counted_where_the_reference_is_one():
    assert measured("json_fields", ['{"a": 1}', "a is 1", "text"], ['{"a": 1}', '{"a": 1}', "text"]).unreadable == 1


def test_only_metrics_that_met_unreadable_answers_are_stored():
    items = tuple(Item(({"role": "user", "content": "?"},), reference) for reference in ("1", "2"))
    found = {name: measured(name, ["one", "2"], ["1", "2"]) for name in ("mae", "fuzzy")}
    assert target_scores(items, [Answer("one"), Answer("2")], found, ARTIFACT, 0.1).unreadable == {"mae": 1}


def done(value: float, unreadable: int) -> EvalDone:
    candidate = Candidate(job_id="j", step=1, base_model="b", model_name="m", adapter=ARTIFACT, lora_rank=4)
    scores = {"json_fields": Score(value=value, n=40)}
    counts = {"json_fields": unreadable} if unreadable else {}
    return EvalDone(candidate=candidate, suite="s", scores=scores, base_scores={}, samples=ARTIFACT, unreadable=counts)


def test_a_score_of_0_warns_only_where_many_answers_are_unreadable():
    [warning] = unread_warnings(done(0.0, 30))
    assert "30 of 40 answers do not have the form" in warning.words
    assert not unread_warnings(done(0.0, 3))
    assert not unread_warnings(done(0.2, 30))
    assert not unread_warnings(done(0.0, 0))
