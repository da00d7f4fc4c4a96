"""The chosen checkpoint is proved on the test split, with figures that had no part in the choice."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.review.policies.domain.policy import Policy
from services.review.policies.shipped import shipped_policies
from services.review.runs.domain.choice import choose
from services.review.runs.domain.proof import needs_proof, proof_request, proved
from services.review.runs.domain.run import Run
from services.review.runs.proving import Proving
from shared.artifacts import Artifacts
from shared.events import Artifact, EvalDone, EvaluationAnswered, Failure, ModelScores, Score, Split
from tests.unit.review.evidence import NOTHING, candidate, comparison, evaluation, on_validation

AUTOMATIC = shipped_policies()["automatic"]


def answered(
    figure: float, base: float = 0.1, *, samples: Artifact | None = NOTHING, **more: Any
) -> EvaluationAnswered:
    models = {"checkpoint": figure, "base": base}
    results = tuple(
        ModelScores(name=name, scores={"exact_match": Score(value=value, n=40)}) for name, value in models.items()
    )
    tests = (comparison(figure, base, "base", 40, None),)
    return EvaluationAnswered(
        evaluation_id="proof-job-1-10", results=results, comparisons=tests, samples=samples, job_id="job-1", **more
    )


def test_the_choice_says_on_which_split_it_was_made() -> None:
    found = choose(AUTOMATIC, [on_validation(10, 0.9), on_validation(20, 0.95)])
    assert found is not None
    assert found[1] == (
        "2 of 2 checkpoints passed every gate on the validation split; checkpoint 20 is the best by exact_match"
    )


@pytest.mark.parametrize(
    ("choice", "needed"),
    [(on_validation(10, 0.9), True), (evaluation(10, 0.9), False), (on_validation(10, None, error="refused"), False)],
)
def test_a_proof_is_needed_where_the_test_split_was_not_answered(choice: EvalDone, needed: bool) -> None:
    assert needs_proof(choice) is needed


def test_the_proof_asks_the_checkpoint_its_base_model_and_production_the_test_split() -> None:
    served = candidate(5, "job-0")
    choice = on_validation(10, 0.9).model_copy(update={"production": served.version, "production_candidate": served})
    request = proof_request(choice)
    assert [(each.name, each.candidate and each.candidate.step) for each in request.models] == [
        ("checkpoint", 10),
        ("base", None),
        ("production", 5),
    ]
    assert request.split == Split(artifact=NOTHING, rows=40)
    assert (request.evaluation_id, request.job_id) == ("proof-job-1-10", "job-1")


def test_gates_judge_the_test_split_and_the_suites_of_the_choice() -> None:
    figures = {"exact_match": Score(value=1, n=40), "general.score": Score(value=0.5, n=9), "bleu": Score(value=1, n=9)}
    choice = on_validation(10, 1.0).model_copy(update={"scores": figures})
    proof = proved(choice, answered(0.7), NOTHING)
    assert {name: score.value for name, score in proof.scores.items()} == {"exact_match": 0.7, "general.score": 0.5}
    assert [each.difference for each in proof.comparisons] == [pytest.approx(0.6)]
    assert (proof.split, proof.base_scores["exact_match"].value) == ("test", 0.1)


def test_the_same_figures_that_won_the_choice_do_not_prove_it() -> None:
    policy = Policy.model_validate({**AUTOMATIC.model_dump(), "gates": [{"metric": "exact_match", "at_least": 0.8}]})
    found = choose(policy, [on_validation(10, 0.95), on_validation(20, 0.5)])
    assert found is not None
    run = Run(job_id="job-1", policy=policy).chosen(*found, "proving")
    decided, events = run.decided(proved(found[0], answered(0.6), NOTHING), 1)
    assert decided.status == "rejected"
    assert [event.type for event in events] == ["review.scored", "model.rejected"]


async def test_the_answers_to_the_test_split_become_samples_for_reviewers(tmp_path: Path) -> None:
    files = Artifacts(str(tmp_path))
    row = {
        "task": "",
        "prompt": [{"role": "user", "content": "q"}],
        "reference": "r",
        "answers": {"checkpoint": "a", "base": "b", "production": "p"},
        "scores": {"checkpoint": {"exact_match": 1.0}, "base": {"exact_match": 0.0}, "production": {}},
    }
    stored = files.put_bytes(json.dumps(row).encode() + b"\n")
    proof = await Proving(files).proof(on_validation(10, 0.9), answered(0.9, samples=stored))
    assert json.loads(files.read(proof.samples)) == {
        "prompt": [{"role": "user", "content": "q"}],
        "reference": "r",
        "answer": "a",
        "scores": {"exact_match": 1.0},
        "base_answer": "b",
        "base_scores": {"exact_match": 0.0},
        "production_answer": "p",
        "production_scores": {},
    }


async def test_a_test_split_that_was_not_answered_fails_every_gate(tmp_path: Path) -> None:
    proving, choice = Proving(Artifacts(str(tmp_path))), on_validation(10, 0.9)
    refused = answered(0.9, error=Failure(code="adapter_refused", message="the engine refused the adapter"))
    proof = await proving.proof(choice, refused)
    assert proof.error is not None
    decided, _events = Run(job_id="job-1", policy=AUTOMATIC).chosen(choice, "", "proving").decided(proof, 1)
    assert decided.status == "rejected"
    assert decided.ruling is not None
    assert "the engine refused the adapter" in decided.ruling.reason
    gone = await proving.proof(choice, answered(0.9))
    assert gone.error is not None
    assert gone.error.code == "artifact_damaged"
